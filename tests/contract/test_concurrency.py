"""Exactness under load: many clients over two relays take the cap, and not one send more."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace

import pytest_asyncio

from relay.core.config import StoreConfig
from relay.core.quota.reservation import Granted, Verdict
from relay.store import open_store
from tests.contract.world import HandClock, World, fresh_route, policy

CAP = 1000
CLIENTS = 64


@pytest_asyncio.fixture(params=["valkey", "redis_server", "cluster"])
async def relays(request, tmp_path):
    """Two relays, each with a store client of its own, on one route."""
    server, clock, route = (
        request.getfixturevalue(request.param),
        HandClock(),
        fresh_route(policy((0, CAP))),
    )
    stores = [await open_store(StoreConfig(server.url), tmp_path, clock) for _ in range(2)]
    yield [World(store, clock, route) for store in stores]
    for store in stores:
        await store.close()


async def test_sixty_four_clients_take_exactly_the_cap(relays):
    async def client(number: int) -> int:
        world, taken = relays[number % 2], 0
        for _ in range(40):
            found = await world.reserve(1)
            taken += isinstance(found, Granted)
        return taken

    taken = await asyncio.gather(*(client(n) for n in range(CLIENTS)))
    assert sum(taken) == CAP
    assert (await relays[0].standing()).charged == CAP


async def test_refunds_are_given_out_again_and_the_sum_is_exact(relays):
    dice = random.Random(7)
    sent = 0

    async def client(number: int) -> None:
        nonlocal sent
        world = relays[number % 2]
        for _ in range(40):
            sends = dice.randint(1, 5)
            found = await world.reserve(sends)
            if not isinstance(found, Granted):
                continue
            assert found.room is not None
            assert sends + found.room <= CAP
            verdict = dice.choice([Verdict.SENT, Verdict.REFUND])
            await asyncio.gather(
                world.settle(found.reservation, verdict),
                relays[1 - number % 2].settle(found.reservation, verdict),
            )
            sent += sends if verdict is Verdict.SENT else 0

    await asyncio.gather(*(client(n) for n in range(CLIENTS)))
    for _ in range(2 * CAP):  # fill what the last refunds left
        if not isinstance(await relays[0].reserve(1), Granted):
            break
    standing = await relays[1].standing()
    assert (standing.charged, standing.sent, standing.lifetime) == (CAP, sent, sent)


async def test_two_relays_that_disagree_on_the_zone_share_one_cap(relays):
    there = policy((0, CAP), zone="Europe/Berlin")
    relays[1].route = replace(relays[1].route, policy=there)

    async def client(number: int) -> int:
        world, taken = relays[number % 2], 0
        for _ in range(30):
            found = await world.reserve(1)
            taken += isinstance(found, Granted)
        return taken

    taken = await asyncio.gather(*(client(n) for n in range(CLIENTS)))
    assert sum(taken) == CAP


async def test_a_crowd_whose_clients_wait_for_each_other_takes_exactly_the_cap(relays):
    """Others are coming all the time and never arrive (`relay/concurrency/company.py`)."""
    over = asyncio.Event()

    async def others() -> None:
        while not over.is_set():
            for world in relays:
                world.store.company.set_out()
            await asyncio.sleep(0.001)

    async def client(number: int) -> int:
        world, taken = relays[number % 2], 0
        for _ in range(20):
            taken += isinstance(await world.reserve(1), Granted)
        return taken

    coming = asyncio.create_task(others())
    taken = await asyncio.gather(*(client(n) for n in range(CLIENTS)))
    over.set()
    await coming
    assert sum(taken) == CAP
    assert (await relays[0].standing()).charged == CAP
    assert [world.store.company.charging for world in relays] == [0, 0]
