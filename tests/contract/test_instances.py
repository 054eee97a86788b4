"""`ports.Instances`: who lives, judged by beats and never by clocks."""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import asynccontextmanager

import pytest_asyncio

from relay.core.config import StoreConfig
from relay.store import keys, open_store
from relay.store.instances import WATCH_S
from tests.contract.world import HandClock


@pytest_asyncio.fixture
async def two(valkey, tmp_path):
    """Two relays on one store."""
    here = await open_store(StoreConfig(valkey.url), tmp_path, HandClock())
    there = await open_store(StoreConfig(valkey.url), tmp_path, HandClock())
    yield here.instances, there.instances
    await here.close()
    await there.close()


@asynccontextmanager
async def beating(instances):
    """`instances` beats, and ends in order."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(instances.run(stop))
        await asyncio.sleep(0.1)
        try:
            yield
        finally:
            stop.set()


async def took(awaitable) -> tuple[object, float]:
    began = time.monotonic()
    return await awaitable, time.monotonic() - began


async def test_an_id_is_new_at_each_start_and_has_no_dot(two):
    here, there = two
    assert here.own != there.own
    assert re.fullmatch(r"[a-z2-7]{16}", here.own)


async def test_a_process_knows_without_asking_that_it_lives(two):
    here, _ = two
    assert await here.is_alive(here.own)


async def test_one_that_beats_is_alive_after_its_next_beat(two):
    here, there = two
    async with beating(there):
        alive, seconds = await took(here.is_alive(there.own))
        assert (alive, seconds < WATCH_S) == (True, True)


async def test_one_that_stopped_beating_is_dead_though_its_key_is_still_there(two, raw):
    here, there = two
    raw.set(keys.instance(there.own), 7, px=60_000)
    alive, seconds = await took(here.is_alive(there.own))
    assert not alive
    assert WATCH_S <= seconds < WATCH_S + 1
    again, seconds = await took(here.is_alive(there.own))
    assert not again
    assert seconds < 0.1, "a death is watched once"


async def test_many_who_ask_watch_a_death_together(two, raw):
    here, there = two
    raw.set(keys.instance(there.own), 7, px=60_000)
    found, seconds = await took(asyncio.gather(*(here.is_alive(there.own) for _ in range(200))))
    assert not any(found)
    assert seconds < WATCH_S + 1


async def test_one_that_ended_in_order_is_dead_at_once(two, raw):
    here, there = two
    await asyncio.sleep(WATCH_S)  # long enough for a missing beat to be proof
    async with beating(there):
        assert raw.exists(keys.instance(there.own))
    assert not raw.exists(keys.instance(there.own))
    alive, seconds = await took(here.is_alive(there.own))
    assert (alive, seconds < 0.2) == (False, True)


async def test_one_that_comes_back_after_an_outage_is_not_taken_for_dead(two):
    here, there = two
    here._line._servers._node.gate.shut()

    async def come_back():
        await asyncio.sleep(1.0)
        async with beating(there):
            await asyncio.sleep(1.5)

    alive, _ = await asyncio.gather(here.is_alive(there.own), come_back())
    assert alive


async def test_a_beat_expires_by_itself(two, raw):
    _, there = two
    async with beating(there):
        assert 8_000 < raw.pttl(keys.instance(there.own)) <= 10_000
