"""The card of a route's page that changes by itself."""

from zoneinfo import ZoneInfo

from relay.web.dashboard.card import steps
from relay.web.dashboard.rendering import error_page, render
from relay.web.dashboard.route_page import _of_status
from tests.unit.cli.test_inspect import RAMP, SUNDAY, status_of


def card_of(status):
    return render("route_live.html", zone=ZoneInfo("UTC"), now=SUNDAY, **_of_status(status))


def test_a_day_off_is_named(tmp_path):
    assert "day off: no sends today" in card_of(status_of(tmp_path, f"{RAMP}days_off: [sunday]\n"))


def test_any_other_day_is_not(tmp_path):
    assert "day off" not in card_of(status_of(tmp_path, f"{RAMP}days_off: [monday]\n"))


def test_no_tier_is_in_force_for_a_graduate_whose_last_one_has_a_cap(tmp_path):
    capped = "ramp: {advance: calendar-days, tiers: [{from: 0, cap: 5}, {from: 2, cap: 9}]}\n"
    found = status_of(tmp_path, capped, graduated_at=SUNDAY)
    assert [(step.cap, step.stage) for step in steps(found)] == [(5, "done"), (9, "done")]


def test_the_last_tier_is_in_force_for_a_graduate_where_it_has_no_cap(tmp_path):
    open_ended = RAMP.replace("}]}", "}, {from: 2, cap: unlimited}]}")
    found = status_of(tmp_path, open_ended, graduated_at=SUNDAY)
    assert [(step.cap, step.stage) for step in steps(found)] == [(5, "done"), (None, "now")]


def test_a_page_of_an_error_is_named_by_it_and_not_by_the_relay_whoever_looks():
    text = error_page(404, "There is no such page.").body.decode()
    assert "<title>Not found</title>" in text
    assert "warmup-relay" not in text
