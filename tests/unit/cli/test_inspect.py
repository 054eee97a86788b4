"""`status ID`: the card names every limit that the policy sets."""

from datetime import UTC, datetime

from relay.cli.inspect import print_card
from relay.core.quota.reservation import Standing
from relay.core.status.report import Status
from relay.settings.load import load_config
from tests.unit.cli.test_layers import CONFIG

SUNDAY = datetime(2026, 3, 8, 12, tzinfo=UTC)


def status_of(tmp_path, policy, **standing):
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "ours.yaml").write_text(f"description: Ours\n{policy}")
    (tmp_path / "relay.yaml").write_text(CONFIG.replace("[below, above]", "[policies]"))
    [route] = load_config(tmp_path / "relay.yaml", {}).directory.routes()
    window = route.policy.window.at(SUNDAY)
    return Status(route, "acme", window, Standing(at=SUNDAY, **standing))


def card_of(capsys, one):
    print_card(one)
    return [line.split(maxsplit=2) for line in capsys.readouterr().out.splitlines()]


def test_no_provider_is_left_out_where_the_route_itself_has_no_cap(tmp_path, capsys):
    ramp = "ramp: {advance: calendar-days, tiers: [{from: 0, cap: unlimited}]}\n"
    one = status_of(tmp_path, f"{ramp}providers: {{google: {{cap: 3}}, yahoo: {{cap: 4}}}}\n")
    found = [line[1:] for line in card_of(capsys, one) if line[0] == "provider"]
    assert found == [["google", "0 of 3 used"], ["yahoo", "0 of 4 used"]]


RAMP = "ramp: {advance: calendar-days, tiers: [{from: 0, cap: 5}]}\n"
ON_SUNDAY = {
    "wall": "day-off",
    "provider": None,
    "kept_for": None,
    "used": 0,
    "limit": 0,
    "opens_at": "2026-03-09T00:00:00Z",
}


def test_a_day_off_is_named(tmp_path, capsys):
    one = status_of(tmp_path, f"{RAMP}days_off: [sunday]\n")
    assert ["day", "off", "no sends today; opens 2026-03-09T00:00:00Z"] in card_of(capsys, one)
    assert one.fields()["walls"][-1] == ON_SUNDAY


def test_a_graduated_route_has_no_days_off(tmp_path, capsys):
    one = status_of(tmp_path, f"{RAMP}days_off: [sunday]\n", graduated_at=SUNDAY)
    assert [line for line in card_of(capsys, one) if line[0] == "day"] == []
    assert one.fields()["walls"] == []
