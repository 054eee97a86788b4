"""The time that a deferral names is true: a second before it the message is refused, at it taken.

The memory model of the store, which the scripts are held against elsewhere, is the judge. Left
out is what a standing does not tell: the part of a slice that is of the day before, and the hour
that Lord Howe's clocks show one and a half times.
"""

from dataclasses import replace
from datetime import time, timedelta
from itertools import count

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.core.policy.pacing import Even
from relay.core.policy.window import Rolling24h
from relay.core.quota.reservation import Demand, Granted, Verdict, Walled
from relay.core.tenants.tenancy import Route, RouteId
from relay.store.memory import MemoryStore
from tests.contract.world import HandClock
from tests.harness.examples import examples
from tests.property.plan_driver import _done
from tests.property.test_quota_machine import classes, policies, sane, splits, starting_points

SECOND = timedelta(seconds=1)
_numbers = count()
pauses = st.one_of(
    st.integers(0, 7200), st.sampled_from([86_400, 200_000, 400_000]), st.just(60)
).map(lambda seconds: timedelta(seconds=seconds))
sent_before = st.lists(st.tuples(pauses, splits, classes), max_size=12)


def told(the_policy):
    """What a standing tells all of; see above."""
    form = the_policy.window
    if form.zone == "Australia/Lord_Howe":
        form = replace(form, zone="Asia/Kathmandu")
    if isinstance(form, Rolling24h) and isinstance(the_policy.smoothing, Even):
        form = replace(form, starts=time(7))
    return sane(replace(the_policy, window=form))


def falls_short(the_policy, wall):
    """Caps may fall: then a message that fits today may fit no day to come."""
    caps = [tier.cap or 10**12 for tier in the_policy.ramp.tiers]
    return caps != sorted(caps) and wall.is_too_wide


def reserve(store, route, now, split, mail_class):
    sends = sum(number for _, number in split)
    demand = Demand(
        route, route.policy.window.at(now), sends, now, f"d{next(_numbers)}", "i.1",
        None, split, mail_class,
    )  # fmt: skip
    return _done(store.reserve(demand, anew=True))


@settings(max_examples=examples(400), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(policies.map(told), starting_points, sent_before, splits, classes)
def test_a_message_passes_when_its_deferral_says_and_not_before(
    the_policy, start, before, split, mail_class
):
    route = Route(RouteId("news.acme.example", "outbound"), the_policy)
    clock = HandClock(start)
    store = MemoryStore(clock)
    for pause, earlier, its_class in before:
        clock.set(clock.now() + pause)
        found = reserve(store, route, clock.now(), earlier, its_class)
        if isinstance(found, Granted):
            _done(store.settle(found.reservation, Verdict.SENT, clock.now()))
    found = reserve(store, route, clock.now(), split, mail_class)
    if not isinstance(found, Walled) or found.wall.is_too_wide:
        return
    opens = found.wall.opens_at
    assert opens > clock.now()
    if opens - SECOND > clock.now():
        clock.set(opens - SECOND)
        assert isinstance(reserve(store, route, clock.now(), split, mail_class), Walled)
    clock.set(opens)
    found = reserve(store, route, opens, split, mail_class)
    assert isinstance(found, Granted) or falls_short(the_policy, found.wall)
