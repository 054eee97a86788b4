"""Stores in trouble: how these tests reach one, and how long things may take."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from relay.core.config import StoreConfig
from relay.core.errors import StoreTrouble
from relay.store import open_store
from tests.contract.world import HandClock, World, fresh_route, policy

TIMEOUT_S = 0.5
NOWHERE = Path("/nonexistent")


@asynccontextmanager
async def world_at(url: str, *, timeout_s: float = TIMEOUT_S, cap: int | None = 1_000_000):
    clock = HandClock()
    store = await open_store(StoreConfig(url, timeout_s), NOWHERE, clock)
    try:
        yield World(store, clock, fresh_route(policy((0, cap))))
    finally:
        await store.close()


async def troubled(call: Awaitable[object]) -> float:
    """The seconds after which `call` raised StoreTrouble; anything else fails the test."""
    began = time.monotonic()
    with pytest.raises(StoreTrouble) as trouble:
        await call
    assert trouble.value.__cause__ is not None
    assert trouble.value.reply().text == "temporary local problem, please try again later"
    return time.monotonic() - began


async def recovers_within(world: World, seconds: float) -> float:
    """Reserve again and again until it works; the seconds that took."""
    began = time.monotonic()
    while True:
        try:
            await world.granted(1)
            return time.monotonic() - began
        except StoreTrouble:
            assert time.monotonic() - began < seconds
            await asyncio.sleep(0.02)


async def pid_of_server(world: World) -> int:
    """The process id of the embedded server, once there is one: 0, to a kill, is all of ours."""
    for _ in range(500):
        if pid := world.store._embedded.pid:
            return pid
        await asyncio.sleep(0.01)
    raise AssertionError("no embedded server came up")
