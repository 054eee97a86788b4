"""What is said of a policy once for many messages is what each of them would say on its own."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest

from relay.core.policy.pacing import Even, HourlyShare
from relay.core.policy.policy import Idle, IdleAction, MailClass
from relay.core.quota.reservation import Demand
from relay.store import keys
from relay.store.demands import reserving_words
from tests.contract.world import fresh_route, policy, share

LATE = datetime(2026, 3, 28, 23, 44, 58, 500_000, tzinfo=UTC)
"""Just before a slice, an hour, a day and, in Berlin, the day of 23 hours."""

STEPS_S = (0, 0.4, 0.3, 0.9, 1.0, 59, 14 * 60, 50, 3600 * 4 + 7, -2, 86_400 * 2, 0.001)

POLICIES = {
    "plain": policy((0, 50), (3, 100)),
    "even": policy((0, 50), smoothing=Even(time(8), time(20), 5)),
    "hourly": policy((0, 50), smoothing=HourlyShare(200_000), zone="Europe/Berlin"),
    "rolling": policy((0, 50), rolling=True),
    "rolling, even": policy((0, 50), rolling=True, smoothing=Even()),
    "odd start": policy((0, 50), zone="Europe/Berlin", starts=time(7, 7)),
    "all": policy(
        headroom_ppm={MailClass.TRANSACTIONAL: 100_000},
        days_off=frozenset({6}),
        idle=Idle(30, IdleAction.STEP_BACK),
        providers={"google": share(30), "default": share(20)},
    ),
}


def demands(route, now):
    """Of both classes, to one and to two providers; each fits none of the others."""
    window = route.policy.window.at(now)
    for mail_class in MailClass:
        for split in ((), (("google", 1),), (("other", 2), ("yahoo", 1))):
            yield Demand(route, window, 3, now, "r", "i.1", None, split, mail_class)


@pytest.mark.parametrize("name", POLICIES)
def test_what_was_said_before_changes_no_word(name):
    route, now = fresh_route(POLICIES[name]), LATE
    for step_s in STEPS_S:
        now += timedelta(seconds=step_s)
        for demand in demands(route, now):
            unknown = replace(demand, route=fresh_route(replace(POLICIES[name])))
            assert reserving_words(demand, anew=False, waits=True) == reserving_words(
                unknown, anew=False, waits=True
            )


def test_an_edited_policy_is_said_at_once():
    route = fresh_route(POLICIES["plain"])
    (before, *_), edited = demands(route, LATE), replace(route, policy=POLICIES["all"])
    (after, *_) = demands(edited, LATE)
    assert reserving_words(before, anew=False, waits=True) != reserving_words(
        after, anew=False, waits=True
    )
    unknown = replace(after, route=fresh_route(replace(POLICIES["all"])))
    assert reserving_words(after, anew=False, waits=True) == reserving_words(
        unknown, anew=False, waits=True
    )


def test_a_window_that_the_clock_is_not_in_is_said_as_it_is():
    route = fresh_route(POLICIES["plain"])
    for window_at in (LATE, LATE + timedelta(days=1), LATE - timedelta(days=1)):
        window = route.policy.window.at(window_at)
        demand = Demand(route, window, 1, LATE, "r", "i.1")
        unknown = replace(demand, route=fresh_route(replace(POLICIES["plain"])))
        assert reserving_words(demand, anew=True, waits=False) == reserving_words(
            unknown, anew=True, waits=False
        )


def test_the_keys_of_a_route_are_those_that_each_has_a_name_for():
    route = fresh_route(POLICIES["plain"]).id
    found = keys.counted(route.domain, route.upstream, "2026-03-28/UTC/00:00")
    assert found == (
        *(keys.route(route), keys.window(route, "2026-03-28/UTC/00:00"), keys.slices(route)),
        *(keys.days(route), keys.unheard(route.domain)),
        *(keys.sending_days(route), keys.qualified_days(route)),
    )
