"""What only a cluster has: slots, redirections, several masters. The suite itself runs on it too."""

from __future__ import annotations

import asyncio

import pytest
import pytest_asyncio

from relay.core.config import StoreConfig
from relay.core.errors import StoreTrouble
from relay.core.quota.reservation import Granted
from relay.store import keys, open_store
from relay.store.moves import exported, imported
from relay.store.troubles import WrongLayout
from relay.store.weaknesses import weaknesses_of
from tests.contract.world import HandClock, World, fresh_route, policy
from tests.harness.cluster import SLOTS
from tests.harness.members import HOST, Member
from tests.harness.store import redis_binary


@pytest_asyncio.fixture
async def on_cluster(cluster, clock, tmp_path):
    store = await open_store(StoreConfig(cluster.url), tmp_path, clock)
    yield World(store, clock, fresh_route(policy()))
    await store.close()


def masters(cluster):
    return [member for member in cluster.members if member.is_master()]


def routes_on_all(count=30):
    return [fresh_route(policy()) for _ in range(count)]


async def test_domains_are_spread_over_all_masters_and_asked_for_in_one_call(cluster, on_cluster):
    routes = routes_on_all()
    for number, route in enumerate(routes):
        on_cluster.route = route
        await on_cluster.granted(number + 1)
    found = await on_cluster.store.standings([(r, on_cluster.window) for r in routes])
    assert [standing.charged for standing in found] == list(range(1, len(routes) + 1))
    holders = {cluster.master_of(keys.route(route.id)).port for route in routes[:12]}
    assert len(holders) > 1


async def test_every_master_is_taught_its_scripts_again(cluster, on_cluster):
    routes = routes_on_all(12)
    for _ in range(2):
        for master in masters(cluster):
            master.said("SCRIPT", "FLUSH")
        for route in routes:
            on_cluster.route = route
            await on_cluster.granted(1)
    found = await on_cluster.store.standings([(r, on_cluster.window) for r in routes])
    assert [standing.charged for standing in found] == [2] * 12


async def test_every_master_is_asked_what_it_may_forget(cluster, on_cluster):
    *others, last = masters(cluster)
    assert await weaknesses_of(on_cluster.store.line) == []
    last.said("CONFIG", "SET", "maxmemory", "64mb", "maxmemory-policy", "volatile-lru")
    try:
        [found] = await weaknesses_of(on_cluster.store.line)
    finally:
        last.said("CONFIG", "SET", "maxmemory", "0", "maxmemory-policy", "noeviction")
    assert (found.what, found.is_grave, len(others)) == ("eviction", True, 2)


async def test_one_seed_is_enough_and_dead_ones_do_not_matter(cluster, clock, tmp_path):
    replica = next(member for member in cluster.members if not member.is_master())
    url = f"redis+cluster://{HOST}:1,{HOST}:{replica.port},{HOST}:2"
    store = await open_store(StoreConfig(url), tmp_path, clock)
    world = World(store, clock, fresh_route(policy()))
    for route in routes_on_all(8):
        world.route = route
        await world.granted(1)
    assert await store.ping()
    await store.close()


async def test_an_export_covers_every_master_and_its_import_spreads_again(
    cluster, on_cluster, tmp_path
):
    routes = routes_on_all(24)
    for route in routes:
        on_cluster.route = route
        await on_cluster.send(5)
    line = on_cluster.store.line
    domains = {f"{{{route.id.domain}}}" for route in routes}
    records = [r async for r in exported(line) if r.key.split(":")[1] in domains]
    assert {record.key for record in records} >= {keys.route(route.id) for route in routes}
    assert len(records) == len({record.key for record in records})
    for master in masters(cluster):
        for record in records:
            if cluster.master_of(record.key) is master:
                master.said("DEL", record.key)
    assert await imported(line, records, replace=True) == len(records)
    found = await on_cluster.store.standings([(r, on_cluster.window) for r in routes])
    assert [(s.charged, s.lifetime) for s in found] == [(5, 5)] * 24


async def test_a_slot_that_moved_is_followed_and_a_second_look_costs_no_redirection(
    cluster, on_cluster
):
    await on_cluster.granted(1)
    name = keys.route(on_cluster.route.id)
    source = cluster.master_of(name)
    target = next(master for master in masters(cluster) if master is not source)
    cluster.move_slot(cluster.slot_of(name), source, target)
    await on_cluster.granted(1)
    assert cluster.master_of(name) is target
    assert (await on_cluster.standing()).charged == 2
    redirected = source.said("INFO", "errorstats").get("errorstat_MOVED")
    for _ in range(5):
        await on_cluster.granted(1)
    assert source.said("INFO", "errorstats").get("errorstat_MOVED") == redirected


async def test_a_slot_on_its_way_is_asked_for_at_both_ends(cluster, on_cluster):
    """What has not been touched yet is at neither end: TRYAGAIN, which is trouble, not a guess."""
    name = keys.route(on_cluster.route.id)
    source = cluster.master_of(name)
    target = next(master for master in masters(cluster) if master is not source)
    await on_cluster.granted(3)
    with cluster.moving(cluster.slot_of(name), source, target) as move_keys:
        outcomes = [await outcome_of(on_cluster)]
        move_keys()
        assert await on_cluster.store.pause(on_cluster.route.id, "by ASK", on_cluster.clock.now())
        assert await on_cluster.store.resume(on_cluster.route.id)
        outcomes.append(await outcome_of(on_cluster))
    await on_cluster.granted(4)
    granted = sum(isinstance(outcome, Granted) for outcome in outcomes)
    assert (await on_cluster.standing()).charged == 7 + granted
    assert all(
        isinstance(outcome, Granted) or "TryAgain" in repr(outcome.__cause__)
        for outcome in outcomes
    )


async def outcome_of(world):
    try:
        return await world.reserve(1)
    except StoreTrouble as trouble:
        return trouble


async def test_two_relays_see_each_other_live_on_a_cluster(cluster, tmp_path):
    here, there = [
        await open_store(StoreConfig(cluster.url), tmp_path, HandClock()) for _ in range(2)
    ]
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(there.run(stop))
        await asyncio.sleep(0.1)
        assert await here.instances.is_alive(there.instances.own)
        stop.set()
    await here.close()
    await there.close()


@pytest.fixture
def secured(authority):
    """A cluster of one server, with a password, over TLS."""
    certificate = authority.issue("localhost")
    member = Member(
        *("--cluster-enabled", "yes", "--requirepass", "s%cret"),
        *("--tls-cert-file", str(certificate.certificate)),
        *("--tls-key-file", str(certificate.key)),
        *("--tls-ca-cert-file", str(authority.ca_file), "--tls-auth-clients", "no"),
        *("--tls-cluster", "yes"),  # which makes it tell its TLS port
        password="s%cret",
        binary=redis_binary(),  # the one that can do TLS
    )
    tls_port = member.add_port("--tls-port")
    member.start()
    member.said("CLUSTER", "ADDSLOTSRANGE", 0, SLOTS - 1)
    yield f"localhost:{tls_port}?ssl_ca_certs={authority.ca_file}", member
    member.close()


async def test_a_cluster_is_reached_with_a_password_and_over_tls(secured, clock, tmp_path):
    where, member = secured
    store = await open_store(
        StoreConfig(f"rediss+cluster://:s%25cret@{where}", 2.0), tmp_path, clock
    )
    world = World(store, clock, fresh_route(policy()))
    for _ in range(200):
        if await store.ping():
            break
        await asyncio.sleep(0.02)
    await world.granted(2)
    assert (await world.standing()).charged == 2
    await store.close()
    member.said("SET", keys.LAYOUT, "2")
    with pytest.raises(WrongLayout):
        await open_store(StoreConfig(f"rediss+cluster://:s%25cret@{where}"), tmp_path, clock)
