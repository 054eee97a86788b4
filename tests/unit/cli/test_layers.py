"""`explain`: each layer names the line that says so, also over layers of directories."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from relay.cli.layers import layers_of, recipient_layer, rule_layer
from relay.core.providers import How, ProviderAnswer
from relay.core.quota.reservation import Standing, Tally
from relay.core.status.report import Status
from relay.settings.apart.here import ReaderHere
from relay.settings.live import LiveSettings
from relay.settings.load import load_config

CONFIG = """\
hostname: relay.example.net
listeners: [{address: "127.0.0.1:2525"}]
upstreams: {outbound: {url: "maildir:var/outbound"}}
tenants:
  acme:
    networks: ["127.0.0.0/8"]
    domains:
      news.acme.example:
        routes:
          - {upstream: outbound, policy: ours}
policies: [below, above]
"""
POLICY = """\
description: Ours
ramp:
  advance: sending-days
  tiers:
    - {from: 0, cap: 50}
    - {from: 2, cap: 100}
    - {from: 9, cap: 400}
providers:
  google: {share: 40%}
  default:
    tiers: [{from: 0, cap: 5}, {from: 2, cap: 20}]
headroom: {transactional: 10%}
days_off: [sunday]
"""
NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.fixture
def home(tmp_path):
    for name in ("below", "above"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "ours.yaml").write_text(POLICY)
    (tmp_path / "above" / "providers.yaml").write_text(
        "providers:\n  google:\n    extend: true\n    domains: [Ours.Example]\n"
        "    mx:\n      - .mx.ours.example\n"
    )
    (tmp_path / "relay.yaml").write_text(CONFIG)
    return tmp_path


def explained(config, **standing):
    [route] = config.directory.routes()
    window = route.policy.window.at(NOW)
    one = Status(route, "acme", window, Standing(at=NOW, **standing))
    return one, layers_of(one, config.sources)


def lines(home, layers):
    """Layer → the text of the place that it names, and its file."""
    found = {}
    for layer in layers:
        if layer.source:
            path = Path(layer.source.path)
            text = path.read_text().splitlines()[layer.source.line - 1]
            key = layer.name if layer.name != "wall" else layer.says.partition(":")[0]
            found[key] = (text[layer.source.column - 1 :], str(path.relative_to(home)))
    return found


WARM = {"sending_days": 3, "providers": {"yahoo": Tally(7, 7)}, "charged": 7, "sent": 7}


def test_each_number_names_the_line_that_it_comes_from(home):
    config = load_config(home / "relay.yaml", {})
    _, layers = explained(config, **WARM)
    above = "above/ours.yaml"
    assert lines(home, layers) == {
        "route": ("{upstream: outbound, policy: ours}", "relay.yaml"),
        "policy": ("description: Ours", above),
        "progress": ("advance: sending-days", above),
        "tier": ("{from: 2, cap: 100}", above),
        "next tier": ("{from: 9, cap: 400}", above),
        "headroom": ("transactional: 10%}", above),
        "days off": ("days_off: [sunday]", above),
        "domain": ("{from: 2, cap: 100}", above),
        "provider google": ("google: {share: 40%}", above),
        "provider yahoo": ("{from: 2, cap: 20}]", above),
        "headroom google": ("transactional: 10%}", above),
        "headroom yahoo": ("transactional: 10%}", above),
    }
    says = {layer.name: layer.says for layer in layers}
    assert says["progress"] == "3 sending-days (3 earlier with sends)"
    assert says["overrides"].startswith(str(home / "below" / "ours.yaml"))
    assert says["store"] == "7 sent, 0 of unknown outcome, 0 in flight; 0 sent ever"
    assert says["cap"] == "100, 93 left"


def test_lines_that_moved_are_known_and_a_reload_that_changes_nothing_else_tells_nobody(home):
    live = LiveSettings.of(home / "relay.yaml", {}, ReaderHere())
    before = lines(home, explained(load_config(home / "relay.yaml", {}), **WARM)[1])
    heard = []
    live.subscribe(heard.append)
    for name in ("relay.yaml", "above/ours.yaml"):
        text = (home / name).read_text()
        (home / name).write_text(f"# a line more\n\n{text}")
    assert live.reload() == []
    assert heard == []
    assert lines(home, explained(load_config(home / "relay.yaml", {}), **WARM)[1]) == before


def test_without_the_file_above_the_one_below_holds(home):
    (home / "above" / "ours.yaml").unlink()
    config = load_config(home / "relay.yaml", {})
    _, layers = explained(config)
    assert lines(home, layers)["tier"] == ("{from: 0, cap: 50}", "below/ours.yaml")
    assert "overrides" not in {layer.name for layer in layers}


@pytest.mark.parametrize(
    ("claim", "how", "expected"),
    [("ours.example", How.FILE, "Ours.Example]"), (".mx.ours.example", How.MX, ".mx.ours.example")],
)
def test_a_recipient_names_the_line_that_claims_it(home, claim, how, expected):
    config = load_config(home / "relay.yaml", {})
    answer = ProviderAnswer("google", how, "because", claim, str(home / "above/providers.yaml"))
    layer = recipient_layer("a@ours.example", answer, config.sources)
    assert lines(home, [layer])["recipient"] == (expected, "above/providers.yaml")


def test_the_rule_of_a_provider_that_no_line_names_is_the_default(home):
    config = load_config(home / "relay.yaml", {})
    one, _ = explained(config, sending_days=1)
    layer = rule_layer(one, "apple", config.sources)
    assert layer.says == "apple: 5 today, as default says"
    assert lines(home, [layer])["rule"][0].startswith("{from: 0, cap: 5}")


@pytest.mark.parametrize(
    ("ramp", "days", "expected"),
    [
        ("growth: {start: 10, factor: 2, days: 3, then: unlimited}", 1, "growth: {start"),
        ("growth: {start: 10, factor: 2, days: 3, then: unlimited}", 3, "then: unlimited}"),
        ("linear: {start: 10, end: 30, days: 3, then: hold}", 2, "linear: {start"),
    ],
)
def test_a_formula_is_named_for_the_days_that_it_makes(home, ramp, days, expected):
    text = f"description: Formula\nramp:\n  advance: sending-days\n  {ramp}\n"
    (home / "above" / "ours.yaml").write_text(text)
    config = load_config(home / "relay.yaml", {})
    _, layers = explained(config, sending_days=days)
    assert lines(home, layers)["tier"][0].startswith(expected)


def test_a_pause_and_idleness_are_told_with_their_reasons(home):
    config = load_config(home / "relay.yaml", {})
    _, layers = explained(config, paused_at=NOW, reason="bounces", idled="restarted: 40 days")
    says = {layer.name: layer.says for layer in layers}
    assert says["paused"] == "bounces (since 2026-03-10T12:00:00Z)"
    assert says["idle"] == "restarted: 40 days"


def test_only_a_route_that_has_not_graduated_has_days_off(home):
    (home / "above" / "ours.yaml").write_text(POLICY.replace("sunday", "tuesday"))
    config = load_config(home / "relay.yaml", {})
    assert "day off" in {layer.name for layer in explained(config)[1]}
    assert "day off" not in {layer.name for layer in explained(config, graduated_at=NOW)[1]}
