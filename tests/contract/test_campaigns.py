"""Campaigns that keep to one route: the same promises of every store (`sticky`)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

import pytest

from relay.core.quota.campaign import Campaign
from relay.core.quota.reservation import Elsewhere, Granted, Part, Seen, Verdict, Walled
from relay.core.tenants.tenancy import Route, RouteId
from tests.contract.world import World, policy

WEEK_S = 7 * 86_400
BOTH = ("outbound", "second")


@dataclass
class Pair:
    """Two routes of one domain on one store."""

    first: World
    second: World

    @property
    def clock(self):
        return self.first.clock

    async def ask(self, world, name="c1", among=BOTH, sends=1, **more):
        campaign = Campaign(name, WEEK_S, among) if name else None
        demand = replace(world.demand(sends, **more), campaign=campaign)
        return await world.store.reserve(demand)

    async def granted(self, world, *words, **more):
        found = await self.ask(world, *words, **more)
        assert isinstance(found, Granted), found
        return found.reservation


@pytest.fixture
def pair(world) -> Pair:
    beside = Route(RouteId(world.route.id.domain, "second"), policy((0, 50)), 1)
    return Pair(world, World(world.store, world.clock, beside))


async def test_the_first_reservation_fixes_the_route(pair):
    assert (await pair.granted(pair.second)).campaign == "c1"
    assert await pair.ask(pair.first) == Elsewhere("second")
    assert isinstance(await pair.ask(pair.second), Granted)
    assert (await pair.first.standing()).charged == 0
    assert (await pair.second.standing()).charged == 2


async def test_other_campaigns_and_mail_of_none_are_free(pair):
    await pair.granted(pair.second)
    assert isinstance(await pair.ask(pair.first, "c2"), Granted)
    assert isinstance(await pair.ask(pair.first, None), Granted)
    assert await pair.ask(pair.second, "c2") == Elsewhere("outbound")


async def test_a_wall_of_its_own_route_is_told_as_such(pair):
    await pair.granted(pair.second, sends=50)
    kept = await pair.ask(pair.second)
    free = await pair.ask(pair.second, "c2")
    assert isinstance(kept, Walled)
    assert kept.is_kept
    assert isinstance(free, Walled)
    assert not free.is_kept
    assert isinstance(await pair.ask(pair.first, "c2"), Granted)  # a wall fixes nothing


async def test_a_refund_frees_a_campaign_of_which_nothing_else_was_charged(pair):
    one, two = [await pair.granted(pair.second) for _ in range(2)]
    await pair.second.settle(one, Verdict.REFUND)
    assert await pair.ask(pair.first) == Elsewhere("second")
    await pair.second.settle(one, Verdict.REFUND)
    assert await pair.ask(pair.first) == Elsewhere("second")
    await pair.second.settle(two, Verdict.REFUND)
    assert isinstance(await pair.ask(pair.first), Granted)


@pytest.mark.parametrize("verdict", [Verdict.SENT, Verdict.UNKNOWN])
async def test_what_was_sent_or_may_have_been_keeps_it(pair, verdict):
    one, two = [await pair.granted(pair.second) for _ in range(2)]
    await pair.second.settle(one, verdict)
    await pair.second.settle(two, Verdict.REFUND)
    await pair.second.settle(one, Verdict.REFUND)  # settled already
    assert await pair.ask(pair.first) == Elsewhere("second")


async def test_it_is_kept_until_so_long_after_the_last_message(pair):
    await pair.granted(pair.second)
    pair.clock.move(days=6)
    await pair.granted(pair.second)
    pair.clock.move(seconds=WEEK_S - 1)
    assert await pair.ask(pair.first) == Elsewhere("second")
    pair.clock.move(seconds=1)
    assert isinstance(await pair.ask(pair.first), Granted)
    assert await pair.ask(pair.second) == Elsewhere("outbound")


async def test_a_reservation_of_a_time_before_frees_nothing(pair):
    old = await pair.granted(pair.second)
    pair.clock.move(seconds=WEEK_S)
    await pair.granted(pair.first)
    await pair.second.settle(old, Verdict.REFUND)
    assert await pair.ask(pair.second) == Elsewhere("outbound")


async def test_a_route_that_the_config_no_longer_has_holds_nothing(pair):
    await pair.granted(pair.second)
    assert isinstance(await pair.ask(pair.first, among=("outbound",)), Granted)
    assert await pair.ask(pair.second) == Elsewhere("outbound")


async def test_a_retry_is_known_before_its_campaign_is_asked_for(pair):
    taken = await pair.granted(pair.second, fingerprint="f", session="i.1")
    await pair.second.settle(taken, Verdict.SENT)
    assert isinstance(await pair.ask(pair.first, fingerprint="f", session="i.2"), Seen)


async def test_of_many_at_once_the_first_decides_for_all(pair):
    asked = [pair.ask(world) for _ in range(20) for world in (pair.second, pair.first)]
    found = await asyncio.gather(*asked)
    granted = {each.reservation.route.upstream for each in found if isinstance(each, Granted)}
    assert len(granted) == 1
    assert sum(isinstance(each, Elsewhere) for each in found) == 20


async def test_a_divided_reservation_keeps_the_route_until_every_part_is_given_back(pair):
    whole = await pair.granted(pair.second, sends=2)
    parts = await pair.first.store.divide(whole, [Part("a", 1), Part("b", 1)])
    await pair.second.settle(whole, Verdict.REFUND)
    await pair.second.settle(parts[0], Verdict.REFUND)
    assert await pair.ask(pair.first) == Elsewhere("second")
    await pair.second.settle(parts[1], Verdict.REFUND)
    assert isinstance(await pair.ask(pair.first), Granted)


async def test_a_part_that_was_sent_keeps_the_route(pair):
    whole = await pair.granted(pair.second, sends=2)
    first, second = await pair.first.store.divide(whole, [Part("a", 1), Part("b", 1)])
    await pair.second.settle(first, Verdict.SENT)
    await pair.second.settle(second, Verdict.REFUND)
    assert await pair.ask(pair.first) == Elsewhere("second")
