"""A master that dies in mid-load, its replica in its place, and what the relay makes of it."""

from __future__ import annotations

import asyncio
import time

import pytest

from relay.core.errors import StoreTrouble
from relay.core.quota.reservation import Verdict
from relay.store import keys
from relay.store.connections.outages import told
from relay.store.connections.sentinel import NoMaster
from tests.contract.world import fresh_route, policy
from tests.faults.store_given import TIMEOUT_S, troubled, world_at
from tests.faults.topology_load import Load, eventually, relays_on
from tests.harness.members import HOST, running
from tests.harness.watched import Watched

LOAD_S = 0.2


@pytest.fixture(scope="module")
def servers():
    with running(Watched()) as watched:
        yield watched


@pytest.fixture
def watched(servers):
    """As new: two servers that run, one of them a replica."""
    for member in [*servers.members, *servers.sentinels]:
        member.thaw()
        if not member.is_running:
            member.start()
    servers.settled()
    return servers


async def come_back(watched):
    """Whoever was killed is a replica of the master."""
    dead = next(member for member in watched.members if not member.is_running)
    dead.start("--replicaof", f"{HOST} {watched.master.port}")
    await asyncio.to_thread(watched.settled)


async def failover_under(load, watched, unfed_s=0.1):
    """Kill the master under load; its replica takes over, and is given a replica again.

    For a moment before its end the master has not fed its replica: what was charged then, the
    replica has never heard of. The moment before it, by time.monotonic.
    """
    old = watched.master
    async with load.running():
        await asyncio.sleep(LOAD_S)
        await load.grows_beyond(20)
        before, last_fed = len(load.granted), time.monotonic()
        if unfed_s:
            old.refuse("follower")
            await asyncio.sleep(unfed_s)
        old.kill()
        await asyncio.to_thread(watched.failed_over, old)
        await come_back(watched)
        await load.grows_beyond(before + 20)
    return last_fed


async def no_over_run_in(rounds, watched):
    async with relays_on(watched.url, wait_replicas=1) as worlds:
        for _ in range(rounds):
            for world in worlds:
                world.route = fresh_route(policy((0, 10**6)))
            worlds[1].route = worlds[0].route
            load = Load(worlds)
            await failover_under(load, watched)
            with watched.master.client() as client:
                assert load.lost(client) == []
            assert await load.over_run() == 0
            await load.fills_exactly()


async def test_two_failovers_lose_nothing_that_a_replica_was_waited_for(watched):
    await no_over_run_in(2, watched)


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_thirty_failovers_lose_nothing_that_a_replica_was_waited_for(watched):
    await no_over_run_in(30, watched)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("unfed_s", [0.0, 0.1])
async def test_without_waiting_ten_failovers_lose_only_what_the_replica_was_not_fed(
    watched, unfed_s, record_property
):
    """The numbers of docs/store.md: charges lost a failover, of so many a second."""
    numbers = []
    async with relays_on(watched.url) as worlds:
        for _ in range(10):
            for world in worlds:
                world.route = fresh_route(policy((0, 10**6)))
            worlds[1].route = worlds[0].route
            load = Load(worlds)
            last_fed = await failover_under(load, watched, unfed_s)
            with watched.master.client() as client:
                lost = load.lost(client)
            assert all(load.granted[one] >= last_fed - 0.05 for one in lost)
            fed = [at for at in load.granted.values() if at < last_fed]
            rate = len(fed) / (last_fed - min(fed))
            numbers.append((len(lost), await load.over_run(), round(rate)))
    print("lost, over-run of the settled, granted a second:", numbers)
    record_property("lost", numbers)


async def test_an_old_master_that_comes_back_as_one_is_not_written(watched):
    old = watched.master
    async with relays_on(watched.url) as worlds, world_at(watched.url) as witness:
        await witness.granted(1)
        old.kill()
        await asyncio.to_thread(watched.failed_over, old)
        old.start()
        assert old.is_master(), "nobody has told it yet"
        for world in [*worlds, witness]:
            for _ in range(50):
                await eventually(lambda world=world: world.granted(1))
            with old.client() as client:
                name = keys.window(world.route.id, world.window.label)
                assert (client.role()[0], client.hget(name, "charged")) == (
                    "master",
                    "1" if world is witness else None,
                )
            with watched.master.client() as client:
                assert client.exists(name)
    old.kill()
    await come_back(watched)


async def test_a_master_that_is_cut_off_from_its_replica_is_left_and_nothing_is_lost(watched):
    old = watched.master
    async with relays_on(watched.url, wait_replicas=1) as worlds:
        load = Load(worlds)
        async with load.running():
            await asyncio.sleep(LOAD_S)
            await load.grows_beyond(20)
            with watched.cut_off(old):
                await asyncio.to_thread(watched.failed_over, old)
                await asyncio.sleep(0.2)
                assert old.is_master()
                last = len(load.granted)
            old.kill()
            await come_back(watched)
            await load.grows_beyond(last + 20)
        with watched.master.client() as client:
            assert load.lost(client) == []
        assert await load.over_run() == 0


async def test_a_reservation_that_no_replica_has_is_trouble_and_is_given_back(watched):
    async with relays_on(watched.url, count=1, wait_replicas=1) as (world,):
        held = await world.granted(3)
        watched.replica.freeze()
        began = time.monotonic()
        with pytest.raises(StoreTrouble) as trouble:
            await world.reserve(4)
        assert time.monotonic() - began < 1.0
        settling = asyncio.create_task(world.settle(held, Verdict.SENT))
        await asyncio.sleep(0.3)
        assert not settling.done(), "it insists"
        watched.replica.thaw()
        await settling
        assert "0 of 1 replicas" in str(trouble.value.__cause__)
        standing = await eventually(world.standing)
        assert (standing.charged, standing.sent) == (3, 3)


async def test_a_majority_of_the_sentinels_has_to_name_the_master(watched):
    first, second, _ = watched.sentinels
    first.freeze()
    async with world_at(watched.url) as world:
        await world.granted(1)
        first.thaw()
        first.kill()
        second.kill()
        await world.granted(1)
        async with world_at(watched.url) as late:
            with pytest.raises(StoreTrouble) as trouble:
                await late.reserve(1)
            assert NoMaster.__name__ in told(trouble.value.__cause__)
            assert "1 of 3 sentinels name a master" in str(trouble.value.__cause__)
            second.start()
            await eventually(lambda: late.granted(1))
        first.start()


async def test_a_name_that_no_sentinel_knows_is_trouble_that_says_so(watched):
    async with world_at(watched.url.replace("/mymaster", "/another")) as world:
        assert await troubled(world.reserve(1)) < TIMEOUT_S + 0.3
        await asyncio.sleep(0.25)
        with pytest.raises(StoreTrouble) as trouble:
            await world.reserve(1)
        assert "for 'another'" in str(trouble.value.__cause__)


async def test_sentinels_that_are_all_away_are_trouble_at_once():
    url = f"redis+sentinel://{HOST}:1,{HOST}:2/mymaster"
    async with world_at(url) as world:
        assert await troubled(world.reserve(1)) < 0.2
        assert not await world.store.ping()
