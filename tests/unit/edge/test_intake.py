from __future__ import annotations

import asyncio

import pytest

from relay.edge.intake import (
    HIGH_WATER_BYTES,
    LOW_WATER_BYTES,
    ClientGone,
    Intake,
    Interrupted,
    LineTooLong,
)


class Valve:
    def __init__(self) -> None:
        self.turns: list[bool] = []

    def __call__(self, is_open: bool) -> None:
        self.turns.append(is_open)


@pytest.fixture
def valve() -> Valve:
    return Valve()


@pytest.fixture
def intake(valve) -> Intake:
    return Intake(valve)


async def test_lines_come_out_as_they_went_in(intake):
    intake.feed(b"one\r\ntw")
    assert await intake.line(100) == b"one\r\n"
    assert not intake.has_line()
    waiting = asyncio.create_task(intake.line(100))
    await asyncio.sleep(0)
    intake.feed(b"o\nthree")
    assert await waiting == b"two\n"
    assert (intake.fed_bytes, intake.taken_bytes) == (14, 9)
    assert await intake.chunk() == b"three"


async def test_the_socket_is_stopped_while_much_is_unread_and_let_run_again(intake, valve):
    intake.feed(b"x\n" * (HIGH_WATER_BYTES // 2))
    assert valve.turns == []
    intake.feed(b"x\n")
    intake.feed(b"x\n")
    assert valve.turns == [False]
    while await intake.line(10):
        if valve.turns[-1]:
            break
    assert intake.fed_bytes - intake.taken_bytes < LOW_WATER_BYTES
    assert valve.turns == [False, True]


async def test_a_line_too_long_is_skipped_to_its_end(intake):
    intake.feed(b"x" * 50)
    waiting = asyncio.create_task(intake.line(20))
    await asyncio.sleep(0)
    intake.feed(b"x" * 50)
    intake.feed(b"x\nnext\n")
    with pytest.raises(LineTooLong):
        await waiting
    assert await intake.line(20) == b"next\n"
    intake.feed(b"x" * 20 + b"\nlast\n")
    with pytest.raises(LineTooLong):
        await intake.line(20)
    assert await intake.line(20) == b"last\n"


async def test_after_a_close_what_came_before_it_can_be_read(intake):
    intake.feed(b"QUIT\n")
    intake.end()
    assert await intake.line(10) == b"QUIT\n"
    with pytest.raises(ClientGone) as gone:
        await intake.line(10)
    assert gone.value.is_clean
    assert intake.was_closed


async def test_after_a_loss_nothing_can_be_read(intake):
    intake.feed(b"QUIT\n")
    intake.lose(is_clean=False)
    for reading in (intake.line(10), intake.chunk()):
        with pytest.raises(ClientGone) as gone:
            await reading
        assert not gone.value.is_clean


async def test_a_close_followed_by_a_loss_is_not_clean(intake):
    intake.end()
    intake.lose(is_clean=False)
    assert not intake.was_closed


async def test_only_a_line_that_says_so_is_interrupted_and_only_when_there_is_none(intake):
    intake.feed(b"one\n")
    intake.interrupt()
    assert await intake.line(10, interruptible=True) == b"one\n"
    with pytest.raises(Interrupted):
        await intake.line(10, interruptible=True)
    waiting = asyncio.create_task(intake.line(10))
    await asyncio.sleep(0)
    intake.feed(b"two\n")
    assert await waiting == b"two\n"


async def test_what_is_given_back_is_read_next(intake):
    intake.feed(b"abcdef")
    assert await intake.chunk() == b"abcdef"
    intake.feed(b"\n")
    intake.give_back(b"def")
    assert await intake.line(10) == b"def\n"
    assert intake.fed_bytes == intake.taken_bytes
