"""What need not be asked again at RCPT, and for how long."""

from dataclasses import replace
from datetime import timedelta

import pytest

from relay.core.errors import WarmupLimit
from relay.core.tenants.tenancy import Route, RouteId
from relay.transaction.lately import FRESH_S, LONG_S, MOST, PLENTY, Lately
from tests.contract.world import NOON, policy
from tests.unit.transaction.test_reserving import Walk

ROUTE = Route(RouteId("news.acme.example", "outbound"), policy((0, 5)))
WINDOW = ROUTE.policy.window.at(NOON)


class Ticks:
    """Monotonic seconds that stand still until they are moved."""

    now_s = 100.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def ticks():
    return Ticks()


@pytest.fixture
def lately(ticks):
    return Lately(ticks)


def test_nothing_is_known_of_a_route_that_was_granted_nothing(lately):
    assert not lately.had_room(ROUTE, NOON, 1)


def test_room_that_was_left_counts_for_a_moment(lately, ticks):
    lately.note(ROUTE, WINDOW, 2)
    assert lately.had_room(ROUTE, NOON, 2)
    assert not lately.had_room(ROUTE, NOON, 3)
    ticks.now_s += FRESH_S
    assert lately.had_room(ROUTE, NOON, 2)
    ticks.now_s += 0.001
    assert not lately.had_room(ROUTE, NOON, 2)


def test_another_window_another_policy_and_a_wall_are_seen_at_once(lately):
    lately.note(ROUTE, WINDOW, 2)
    assert not lately.had_room(ROUTE, NOON + timedelta(days=1), 1)
    assert not lately.had_room(replace(ROUTE, policy=policy((0, 3))), NOON, 1)
    lately.forget(ROUTE)
    assert not lately.had_room(ROUTE, NOON, 1)


def test_plenty_of_room_counts_for_long(lately, ticks):
    lately.note(ROUTE, WINDOW, 2 * PLENTY)
    ticks.now_s += LONG_S
    assert lately.had_room(ROUTE, NOON, 2)
    assert not lately.had_room(ROUTE, NOON, 3)  # for a hundred of these there was none
    ticks.now_s += 0.001
    assert not lately.had_room(ROUTE, NOON, 1)


def test_a_route_without_a_cap_has_plenty_of_room(lately, ticks):
    lately.note(ROUTE, WINDOW, None)
    ticks.now_s += LONG_S
    assert lately.had_room(ROUTE, NOON, 100)


def test_a_pause_anywhere_ends_what_was_believed_of_all(lately):
    other = replace(ROUTE, id=RouteId("other.example", "outbound"))
    for route in (ROUTE, other):
        lately.note(route, WINDOW, 1000)
        assert lately.had_room(route, NOON, 1)
    lately.forget_all()
    assert not any(lately.had_room(route, NOON, 1) for route in (ROUTE, other))


def test_routes_are_remembered_up_to_a_bound(lately):
    routes = [
        replace(ROUTE, id=RouteId(f"d{number}.example", "outbound"))
        for number in range(2 * MOST + 1)
    ]
    for route in routes[:-1]:
        lately.note(route, WINDOW, 4)
    assert lately.had_room(routes[0], NOON, 1)
    lately.note(routes[-1], WINDOW, 4)
    assert lately.had_room(routes[-1], NOON, 1)
    assert lately.had_room(routes[MOST], NOON, 1)
    assert not lately.had_room(routes[0], NOON, 1)
    lately.forget(routes[MOST])
    assert not lately.had_room(routes[MOST], NOON, 1)


class _Looks:
    """Counts how often the store is looked at."""

    def __init__(self, store):
        self.count = 0
        self._standings = store.standings

    async def __call__(self, wanted):
        self.count += 1
        return await self._standings(wanted)


async def test_a_peek_leaves_the_store_alone_while_the_last_grant_left_room():
    walk = Walk([policy((0, 2))])
    looks = walk.store.standings = _Looks(walk.store)
    await walk.reserving.peek(walk.domain.walk, 1)
    assert looks.count == 1
    await walk.taken()
    assert walk.reserving.peek(walk.domain.walk, 1) is None
    assert looks.count == 1


async def test_a_route_that_was_paused_costs_one_body_and_is_asked_from_then_on():
    walk = Walk([policy((0, 1000))])
    looks = walk.store.standings = _Looks(walk.store)
    await walk.taken()
    await walk.store.pause(walk.domain.routes[0].id, "by operator", walk.clock.now())
    assert walk.reserving.peek(walk.domain.walk, 1) is None
    with pytest.raises(WarmupLimit):
        await walk.taken()
    with pytest.raises(WarmupLimit):
        await walk.reserving.peek(walk.domain.walk, 1)
    assert looks.count == 1


async def test_who_hears_of_a_pause_asks_at_once():
    walk = Walk([policy((0, 1000))])
    await walk.taken()
    await walk.store.pause(walk.domain.routes[0].id, "by operator", walk.clock.now())
    walk.reserving.forget_room()
    with pytest.raises(WarmupLimit):
        await walk.reserving.peek(walk.domain.walk, 1)


async def test_a_full_route_is_told_at_once_by_the_store():
    walk = Walk([policy((0, 2))])
    looks = walk.store.standings = _Looks(walk.store)
    await walk.taken()
    await walk.taken()
    with pytest.raises(WarmupLimit):
        await walk.reserving.peek(walk.domain.walk, 1)
    assert looks.count == 1
