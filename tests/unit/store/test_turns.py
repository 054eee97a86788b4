"""Turns: no more at once than there are, in the order of coming, and none is ever lost."""

from __future__ import annotations

import asyncio

import pytest

from relay.store.connections.turns import Turns


async def waiting(turns: Turns, count: int):
    found = [asyncio.create_task(turns.take()) for _ in range(count)]
    await asyncio.sleep(0)
    return found


async def test_a_turn_that_is_free_is_not_waited_for():
    turns = Turns(2)
    await turns.take()
    await turns.take()
    assert turns.free == 0
    turns.leave()
    assert turns.free == 1


async def test_who_waits_longest_comes_first_and_nobody_overtakes():
    turns = Turns(1)
    await turns.take()
    first, second = await waiting(turns, 2)
    turns.leave()
    assert turns.free == 0
    await asyncio.sleep(0)
    assert (first.done(), second.done()) == (True, False)
    turns.leave()
    await second


async def test_who_gives_up_is_passed_over():
    turns = Turns(1)
    await turns.take()
    first, second = await waiting(turns, 2)
    first.cancel()
    await asyncio.wait([first])
    turns.leave()
    await second
    turns.leave()
    assert turns.free == 1


async def test_a_turn_given_to_one_who_is_just_giving_up_goes_on_to_the_next():
    turns = Turns(1)
    await turns.take()
    first, second = await waiting(turns, 2)
    turns.leave()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    await second
    turns.leave()
    assert turns.free == 1


async def test_no_turn_is_lost_or_invented_whoever_is_cancelled_when():
    turns, at_once, most = Turns(3), 0, 0

    async def one(number: int) -> None:
        nonlocal at_once, most
        await turns.take()
        try:
            at_once, most = at_once + 1, max(most, at_once + 1)
            await asyncio.sleep(0.001 * (number % 3))
        finally:
            at_once -= 1
            turns.leave()

    tasks = [asyncio.create_task(one(number)) for number in range(200)]
    for number in range(0, 200, 7):
        await asyncio.sleep(0.0005)
        tasks[number].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert (turns.free, at_once, most) == (3, 0, 3)
