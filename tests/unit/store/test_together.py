"""What is said together: by whom, when, and what each caller hears of it."""

from __future__ import annotations

import asyncio

import pytest

from relay.core.errors import StoreTrouble
from relay.store.commands import Command
from relay.store.together import GATHER_S, MOST, Together


class HeardLine:
    """Remembers what was said in each conversation; away while `is_away`."""

    def __init__(self) -> None:
        self.said: list[list[str]] = []
        self.is_away = False

    async def insist_all(self, commands):
        self.said.append([command.verb for command in commands])
        await asyncio.sleep(0)
        if self.is_away:
            raise StoreTrouble
        return [None for _ in commands]


def command(name: object) -> Command[None]:
    return Command(str(name), ("PING",), lambda _: None)


@pytest.fixture
def line():
    return HeardLine()


async def test_those_who_come_within_a_moment_are_said_in_one_conversation(line):
    together = Together(line)
    await asyncio.gather(*(together.insist(str(n), command(n)) for n in range(5)))
    await together.insist("later", command("later"))
    assert line.said == [list("01234"), ["later"]]


async def test_nobody_returns_before_it_was_said(line):
    together = Together(line)
    first = asyncio.create_task(together.insist("a", command("a")))
    second = asyncio.create_task(together.insist("b", command("b")))
    await asyncio.sleep(GATHER_S / 4)
    assert [first.done(), second.done()] == [False, False]
    assert line.said == []
    await asyncio.gather(first, second)
    assert line.said == [["a", "b"]]


async def test_all_of_them_hear_that_the_store_is_away(line):
    together, line.is_away = Together(line), True
    found = await asyncio.gather(
        *(together.insist(str(n), command(n)) for n in range(3)), return_exceptions=True
    )
    assert [type(each) for each in found] == [StoreTrouble] * 3


async def test_no_conversation_is_longer_than_a_bound(line):
    together = Together(line)
    await asyncio.gather(*(together.insist(str(n), command(n)) for n in range(MOST + 1)))
    assert sorted(map(len, line.said)) == [1, MOST]


async def test_where_the_one_who_says_it_is_cancelled_the_others_know_that_it_may_not_be_said(line):
    together = Together(line)
    first = asyncio.create_task(together.insist("a", command("a")))
    await asyncio.sleep(0)
    others = [asyncio.create_task(together.insist(str(n), command(n))) for n in range(2)]
    await asyncio.sleep(0)
    first.cancel()
    found = await asyncio.gather(first, *others, return_exceptions=True)
    assert [type(each) for each in found] == [asyncio.CancelledError, StoreTrouble, StoreTrouble]
    await together.insist("b", command("b"))
    assert line.said == [["b"]]


async def test_whoever_asks_about_it_waits_until_it_was_said_and_nobody_else_does(line):
    together = Together(line)
    first = asyncio.create_task(together.insist("a", command("a1")))
    again = asyncio.create_task(together.insist("a", command("a2")))
    await asyncio.sleep(0)
    await together.settled("b")
    assert line.said == []
    await together.settled("a")
    assert line.said == [["a1", "a2"]]
    await asyncio.gather(first, again)
    await together.settled("a")


async def test_asking_about_what_could_not_be_said_is_no_failure(line):
    together, line.is_away = Together(line), True
    told = asyncio.create_task(together.insist("a", command("a")))
    await asyncio.sleep(0)
    await together.settled("a")
    with pytest.raises(StoreTrouble):
        await told
