"""Days of a route: the caps that were, and tomorrow's."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from relay.core.policy.policy import Idle, IdleAction, Policy
from relay.core.policy.ramp import Advance, Ramp, Tier
from relay.core.policy.window import Rolling24h
from relay.core.quota.reservation import Leaving, Standing
from relay.core.status.past import MOST_PAST_DAYS, coming, past, tomorrows_cap
from relay.core.status.report import Status
from relay.core.tenants.tenancy import Route, RouteId

TODAY = date(2026, 3, 10)
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def status(advance: Advance, tiers: list[tuple[int, int | None]], **standing) -> Status:
    policy = Policy("p", "", "", Ramp(advance, tuple(Tier(*each) for each in tiers)))
    route = Route(RouteId("a.example", "out"), policy)
    return Status(route, "acme", policy.window.at(NOON), Standing(at=NOON, **standing))


def sends(*counts: int) -> dict[int, int]:
    """Sends of the days up to today, the last of them."""
    first = TODAY.toordinal() - len(counts) + 1
    return {first + place: count for place, count in enumerate(counts)}


SEED = [(0, 50), (200, 100), (500, 500), (1500, 2000), (5000, 5000), (15000, None)]


def test_crossing_a_lifetime_threshold_raises_tomorrows_cap_and_not_todays():
    found = status(
        Advance.LIFETIME_SENDS, SEED, charged=500, sent=500, lifetime=1500, lifetime_open=1000
    )
    assert (found.cap, tomorrows_cap(found)) == (500, 2000)
    not_yet = status(
        Advance.LIFETIME_SENDS, SEED, charged=499, sent=499, lifetime=1499, lifetime_open=1000
    )
    assert tomorrows_cap(not_yet) == 500


def test_the_caps_of_past_days_follow_from_what_was_sent():
    was = sends(50, 50, 50, 50, 100, 100, 100, 500)
    found = status(
        Advance.LIFETIME_SENDS,
        SEED,
        charged=500,
        sent=500,
        first_day=TODAY.toordinal() - 7,
        lifetime=1000,
        lifetime_open=500,
    )
    assert [day.cap for day in past(found, was)] == [50, 50, 50, 50, 100, 100, 100, 500]
    assert [day.sent for day in past(found, was)] == list(was.values())


@pytest.mark.parametrize(
    ("advance", "caps"),
    [
        (Advance.CALENDAR_DAYS, [10, 20, 30, 40]),
        (Advance.SENDING_DAYS, [10, 20, 20, 30]),
        (Advance.QUALIFIED_DAYS, [10, 20, 20, 20]),
    ],
)
def test_a_day_without_mail_moves_calendar_ramps_only(advance, caps):
    # 10 of 10, nothing, 4 of 20: too few to qualify.
    tiers = [(0, 10), (1, 20), (2, 30), (3, 40)]
    counted = {"sending_days": 2, "qualified_days": 1}
    found = status(advance, tiers, first_day=TODAY.toordinal() - 3, **counted)
    assert [day.cap for day in past(found, sends(10, 0, 4, 0))] == caps


def test_a_graduate_had_no_cap_from_the_day_after():
    found = status(
        Advance.CALENDAR_DAYS,
        [(0, 10)],
        first_day=TODAY.toordinal() - 3,
        graduated_at=NOON - timedelta(days=2),
    )
    assert [day.cap for day in past(found, {})] == [10, 10, None, None]
    assert coming(found) == []


def test_only_so_many_days_are_told_and_a_route_without_sends_has_today():
    long_ago = status(Advance.CALENDAR_DAYS, [(0, 10)], first_day=TODAY.toordinal() - 300)
    assert len(past(long_ago, {})) == MOST_PAST_DAYS
    fresh = status(Advance.CALENDAR_DAYS, [(0, 10)])
    assert [(day.date, day.sent) for day in past(fresh, {})] == [(TODAY, 0)]


def test_days_to_come_begin_tomorrow():
    found = status(Advance.CALENDAR_DAYS, [(0, 10), (1, 20), (2, None)])
    assert [(day.date, day.cap, day.sent) for day in coming(found)] == [
        (date(2026, 3, 11), 20, None),
        (date(2026, 3, 12), None, None),
    ]


def test_tomorrow_of_a_route_that_has_not_sent_is_the_foot_of_the_ramp():
    fresh = status(Advance.CALENDAR_DAYS, [(0, 10), (1, 20)])
    assert tomorrows_cap(fresh) == 10
    began = replace(fresh, standing=replace(fresh.standing, sent=1, first_day=TODAY.toordinal()))
    assert tomorrows_cap(began) == 20


DAYS = [(0, 10), (1, 20), (2, 30)]


@pytest.mark.parametrize(
    "held",
    [
        {"charged": 10, "sent": 10},  # restarted at noon, or stepped back: nothing was sent since
        {"charged": 3, "unknown": 3},  # nobody knows whether any of it was sent
    ],
)
@pytest.mark.parametrize(
    "advance", [Advance.CALENDAR_DAYS, Advance.SENDING_DAYS, Advance.QUALIFIED_DAYS]
)
def test_what_moves_no_ramp_does_not_raise_tomorrows_cap(advance, held):
    assert tomorrows_cap(status(advance, DAYS, **held)) == 10


def test_what_a_rolling_window_holds_of_yesterday_does_not_raise_tomorrows_cap():
    yesterday = TODAY.toordinal() - 1
    found = status(
        Advance.SENDING_DAYS,
        DAYS,
        charged=10,
        sent=10,
        first_day=yesterday,
        last_day=yesterday,
        sending_days=1,
        leaving=(Leaving(NOON + timedelta(hours=1), None, 10),),
    )
    rolling = replace(found.route.policy, window=Rolling24h())
    found = replace(
        found, route=replace(found.route, policy=rolling), window=rolling.window.at(NOON)
    )
    assert (found.cap, tomorrows_cap(found)) == (20, 20)


def test_what_a_rolling_window_holds_of_yesterday_is_not_sent_today_again():
    rolling = replace(status(Advance.CALENDAR_DAYS, DAYS).route.policy, window=Rolling24h())
    found = status(
        Advance.CALENDAR_DAYS, DAYS, charged=9, sent=9, first_day=TODAY.toordinal() - 1, lifetime=9
    )
    found = replace(
        found, route=replace(found.route, policy=rolling), window=rolling.window.at(NOON)
    )
    assert [day.sent for day in past(found, sends(5, 4))] == [5, 4]


def test_tomorrow_is_at_the_foot_where_idleness_takes_it_there():
    found = status(Advance.CALENDAR_DAYS, DAYS, first_day=TODAY.toordinal() - 9)
    idle = replace(found.route.policy, idle=Idle(3, IdleAction.RESTART))
    found = replace(found, route=replace(found.route, policy=idle))
    today = replace(found.standing, last_day=TODAY.toordinal() - 3)
    assert tomorrows_cap(replace(found, standing=today)) == 10


def test_sends_before_a_restart_raise_no_cap_after_it():
    # 240 of the first day were sent before the restart, 10 after it.
    found = status(
        Advance.LIFETIME_SENDS, SEED, first_day=TODAY.toordinal() - 2, lifetime=70, lifetime_open=70
    )
    assert [day.cap for day in past(found, sends(250, 60, 0))] == [50, 50, 50]


def test_sends_of_days_that_are_no_longer_kept_count_for_the_caps_of_those_that_are():
    found = status(
        Advance.LIFETIME_SENDS,
        SEED,
        first_day=TODAY.toordinal() - 500,
        lifetime=1520,
        lifetime_open=1510,
    )
    assert [day.cap for day in past(found, sends(10, 20, 10))][-3:] == [500, 500, 2000]
