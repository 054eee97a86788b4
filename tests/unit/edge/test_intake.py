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
async def intake(valve) -> Intake:
    return Intake(valve)


async def test_lines_come_out_as_they_went_in(intake):
    intake.feed(b"one\r\ntw")
    assert await intake.line(100) == b"one\r\n"
    assert b"\n" not in intake.unread
    waiting = asyncio.create_task(intake.line(100))
    await asyncio.sleep(0)
    intake.feed(b"o\nthree")
    assert await waiting == b"two\n"
    assert (intake.fed_bytes, intake.taken_bytes) == (14, 9)
    assert intake.take() == b"three"


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
    for reading in (intake.line(10), intake.attended(lambda: True)):
        with pytest.raises(ClientGone) as gone:
            await reading
        assert not gone.value.is_clean


async def test_a_close_followed_by_a_loss_is_not_clean(intake):
    intake.end()
    intake.lose(is_clean=False)
    assert not intake.was_closed


async def test_only_an_idle_session_is_interrupted_and_only_when_there_is_nothing(intake):
    lines = Lines(intake)
    intake.feed(b"one\n")
    intake.interrupt()
    with pytest.raises(Interrupted):
        await intake.attended(lines, lambda: True)
    assert lines.seen == [b"one\n"]
    waiting = asyncio.create_task(intake.attended(lines, lambda: False))
    await asyncio.sleep(0)
    intake.feed(b"two\n")
    assert not waiting.done()
    intake.interrupt()
    intake.feed(b"stop\n")
    await waiting
    assert lines.seen == [b"one\n", b"two\n", b"stop\n"]


class Lines:
    """An attendant: notes every line, and has enough at one that begins with "stop"."""

    def __init__(self, intake: Intake) -> None:
        self.intake = intake
        self.seen: list[bytes] = []

    def __call__(self) -> bool:
        while line := self.intake.take_line(20):
            self.seen.append(line)
        return not self.seen[-1:] or not self.seen[-1].startswith(b"stop")


async def test_an_attendant_sees_to_what_comes_where_it_comes_in(intake):
    lines = Lines(intake)
    waiting = asyncio.create_task(intake.attended(lines))
    await asyncio.sleep(0)
    intake.feed(b"one\ntw")
    assert lines.seen == [b"one\n"]  # without a turn of the loop
    intake.feed(b"o\nstop\nmore")
    assert lines.seen == [b"one\n", b"two\n", b"stop\n"]
    assert intake.take() == b"more"
    await asyncio.wait_for(waiting, 1)
    assert intake.fed_bytes == intake.taken_bytes == 17


async def test_what_an_attendant_raises_is_raised_where_it_is_waited_for(intake):
    waiting = asyncio.create_task(intake.attended(Lines(intake)))
    await asyncio.sleep(0)
    intake.feed(b"x" * 30 + b"\n")
    with pytest.raises(LineTooLong):
        await waiting
    assert len(intake) == 0


async def test_the_deadline_of_waiting_can_be_moved_on_and_no_timer_outlives_the_connection(intake):
    loop = asyncio.get_running_loop()
    intake.until_s = began_s = loop.time()

    def attend() -> bool:
        intake.take()
        intake.until_s = loop.time() + 1.0
        return True

    waiting = asyncio.create_task(intake.attended(attend))
    for _ in range(4):
        await asyncio.sleep(0.05)
        intake.feed(b"x")
    with pytest.raises(TimeoutError):
        await waiting
    assert 1.18 < loop.time() - began_s < 4
    waiting = asyncio.create_task(intake.attended(attend))
    await asyncio.sleep(0)
    assert intake._timer is not None
    intake.lose(is_clean=True)
    assert intake._timer is None
    with pytest.raises(ClientGone):
        await waiting


async def test_what_is_given_back_is_read_next(intake):
    intake.feed(b"abcdef")
    assert intake.take() == b"abcdef"
    intake.feed(b"\n")
    intake.give_back(b"def")
    assert await intake.line(10) == b"def\n"
    assert intake.fed_bytes == intake.taken_bytes
