"""The card of a route's page that changes by itself."""

from zoneinfo import ZoneInfo

from relay.web.dashboard.rendering import render
from relay.web.dashboard.route_page import _of_status
from tests.unit.cli.test_inspect import RAMP, SUNDAY, status_of


def card_of(status):
    return render("route_live.html", zone=ZoneInfo("UTC"), now=SUNDAY, **_of_status(status))


def test_a_day_off_is_named(tmp_path):
    assert "day off: no sends today" in card_of(status_of(tmp_path, f"{RAMP}days_off: [sunday]\n"))


def test_any_other_day_is_not(tmp_path):
    assert "day off" not in card_of(status_of(tmp_path, f"{RAMP}days_off: [monday]\n"))
