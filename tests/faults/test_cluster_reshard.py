"""A slot that moves under load, there and back: followed, counted once, never over the cap."""

from __future__ import annotations

import asyncio

import pytest

from relay.core.quota.reservation import Granted
from relay.store import keys
from tests.contract.world import fresh_route, policy
from tests.faults.topology_load import Load, eventually, relays_on
from tests.harness.cluster import Cluster
from tests.harness.members import running


@pytest.fixture(scope="module")
def cluster():
    with running(Cluster()) as servers:
        yield servers


@pytest.mark.parametrize("how", ["move_slot", "move_slot_whole"])
async def test_nothing_is_lost_or_counted_twice_while_a_slot_moves(cluster, how):
    async with relays_on(cluster.url, wait_replicas=1) as worlds:
        load = Load(worlds)
        name = keys.route(load.kept.id)
        slot = cluster.slot_of(name)
        async with load.running():
            for _ in range(3):
                await asyncio.sleep(0.15)
                source = cluster.master_of(name)
                target = next(m for m in cluster.members if m.is_master() and m is not source)
                await asyncio.to_thread(getattr(cluster, how), slot, source, target)
                await load.grows_beyond(len(load.granted) + 20)
        with target.client() as client:
            assert load.lost(client) == []
        assert await load.over_run() == 0
        kept = load.worlds[0]
        charged = (await eventually(kept.standing)).charged
        assert len(load.granted) <= charged <= len(load.granted) + load.troubles
        await load.fills_exactly()


async def test_sixty_four_clients_take_exactly_the_cap_while_their_slot_moves(cluster):
    async with relays_on(cluster.url) as worlds:
        for world in worlds:
            world.route = fresh_route(policy((0, 2000)))
        worlds[1].route = worlds[0].route
        name = keys.route(worlds[0].route.id)
        source = cluster.master_of(name)
        target = next(m for m in cluster.members if m.is_master() and m is not source)

        async def client(number):
            taken = 0
            for _ in range(60):
                found = await eventually(lambda: worlds[number % 2].reserve(1))
                taken += isinstance(found, Granted)
            return taken

        moving = asyncio.to_thread(cluster.move_slot, cluster.slot_of(name), source, target)
        *taken, _ = await asyncio.gather(*(client(n) for n in range(64)), moving)
        standing = await worlds[0].standing()
        # An answer that was lost on the way stays charged: then fewer are taken, never more.
        assert sum(taken) <= standing.charged == 2000
        assert sum(taken) == 2000, "a redirection and TRYAGAIN are no lost answers"
