"""A master of a cluster that dies in mid-load: its replica, its slots, and everybody else's."""

from __future__ import annotations

import asyncio

import pytest

from relay.core.errors import StoreTrouble
from relay.store import keys
from tests.contract.world import fresh_route, policy
from tests.faults.store_given import troubled, world_at
from tests.faults.topology_load import Load, eventually, relays_on
from tests.harness.cluster import Cluster
from tests.harness.members import HOST, running
from tests.harness.waiting import until


@pytest.fixture(scope="module")
def cluster():
    with running(Cluster()) as servers:
        yield servers


async def failover_under(load, cluster):
    """Kill the master of the load's domain; it comes back as a replica of its replica.

    For a moment before its end the master has not fed its replica: what was charged then, the
    replica has never heard of.
    """
    name = keys.route(load.kept.id)
    old = cluster.master_of(name)
    new = cluster.replica_of(old)
    async with load.running():
        await load.grows_beyond(20)
        before = len(load.granted)
        old.refuse("follower")
        await asyncio.sleep(0.1)
        old.kill()
        await asyncio.to_thread(until, new.is_master, "the failover", timeout_s=20)
        old.start()
        await asyncio.to_thread(cluster.settled)
        await load.grows_beyond(before + 20)
    return new


async def no_over_run_in(rounds, cluster):
    async with relays_on(cluster.url, wait_replicas=1) as worlds:
        for _ in range(rounds):
            worlds[0].route = fresh_route(policy((0, 10**6)))
            worlds[1].route = worlds[0].route
            load = Load(worlds)
            master = await failover_under(load, cluster)
            with master.client() as client:
                assert load.lost(client) == []
            assert await load.over_run() == 0
            await load.fills_exactly()


async def test_two_failovers_lose_nothing_that_a_replica_was_waited_for(cluster):
    await no_over_run_in(2, cluster)


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_thirty_failovers_lose_nothing_that_a_replica_was_waited_for(cluster):
    await no_over_run_in(30, cluster)


async def test_a_frozen_master_takes_only_its_own_slots_with_it(cluster):
    async with world_at(cluster.url) as world:
        there = world.route
        frozen = cluster.master_of(keys.route(there.id))
        others = [
            route
            for route in (fresh_route(policy()) for _ in range(12))
            if cluster.master_of(keys.route(route.id)) is not frozen
        ]
        for route in [there, *others]:
            world.route = route
            await world.granted(1)
        frozen.freeze()
        try:
            for _ in range(3):  # well within the node timeout: nobody has taken over
                world.route = there
                stuck = asyncio.create_task(troubled(world.reserve(1)))
                await asyncio.sleep(0.05)
                for route in others:
                    world.route = route
                    async with asyncio.timeout(0.2):
                        await world.granted(1)
                stuck.cancel()
        finally:
            frozen.thaw()
        world.route = there
        await eventually(lambda: world.granted(1))


async def test_a_cluster_that_is_away_is_trouble_at_once_and_found_when_it_is_there():
    async with world_at(f"redis+cluster://{HOST}:1,{HOST}:2") as world:
        assert await troubled(world.reserve(1)) < 0.2
        assert not await world.store.ping()


async def test_a_dead_master_is_neither_stormed_nor_waited_for_by_others(cluster):
    async with relays_on(cluster.url, count=1) as (world,):
        old = cluster.master_of(keys.route(world.route.id))
        new = cluster.replica_of(old)
        witness = next(m for m in cluster.members if m.is_master() and m is not old)
        await world.granted(1)
        before = asked_for_slots(witness)
        old.kill()
        failed = 0
        while not new.is_master():
            for _ in range(20):
                failed += await is_trouble(world)
            await asyncio.sleep(0.02)
        await eventually(lambda: world.granted(1))
        assert failed > 100
        assert asked_for_slots(witness) - before <= 25, "at most five maps a second"
        old.start()
        await asyncio.to_thread(cluster.settled)


async def is_trouble(world):
    try:
        await world.reserve(1)
    except StoreTrouble:
        return True
    return False


def asked_for_slots(member):
    found = member.said("INFO", "commandstats").get("cmdstat_cluster|slots", {})
    return found.get("calls", 0)
