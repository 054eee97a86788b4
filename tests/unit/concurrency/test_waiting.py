"""Waiting for an event, or for a while: whichever comes first is told."""

from __future__ import annotations

import asyncio

import pytest

from relay.concurrency.waiting import set_within


async def test_an_event_that_comes_ends_the_waiting():
    event = asyncio.Event()
    asyncio.get_running_loop().call_soon(event.set)
    assert await set_within(event, 60.0)
    assert await set_within(event, 0.0), "and one that has come needs no time"


async def test_one_that_does_not_come_ends_it_after_the_while():
    assert not await set_within(asyncio.Event(), 0.001)


async def test_whoever_is_cancelled_hears_so_and_not_that_the_time_is_over():
    waiting = asyncio.ensure_future(set_within(asyncio.Event(), 60.0))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
