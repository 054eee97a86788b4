"""Log lines: together where they may wait, at once where not, in order, and none lost."""

import asyncio
import io
import json
import logging
import subprocess
import sys
import threading

import pytest

from relay.telemetry.lines import HOLD_S, MOST_BYTES, Lines, LinesHandler

LOGGED = """
import asyncio, logging, structlog
from relay.core.config import LogConfig, LogFormat
from relay.telemetry.logs import set_up_logs

set_up_logs(LogConfig("{level}", LogFormat.JSON))
log = structlog.get_logger("relay")

async def serve():
    log.debug("one")
    log.info("two", more=2)
    logging.getLogger("x").info("three %s", 3)
    try:
        raise KeyError("four")
    except KeyError:
        log.exception("four")
    log.info("five")

asyncio.run(serve())
"""


class Stream(io.StringIO):
    """Counts its writes."""

    def __init__(self):
        super().__init__()
        self.writes = 0
        self.sizes = []

    def write(self, text):
        self.writes += bool(text)
        self.sizes.append(len(text.encode()))
        return super().write(text)


@pytest.fixture
def stream():
    return Stream()


@pytest.fixture
def lines(stream):
    return Lines(stream)


def test_without_a_loop_nothing_waits(lines, stream):
    lines.info("a")
    assert stream.getvalue() == "a\n"


async def test_lines_of_one_moment_are_one_write(lines, stream):
    for name in "abc":
        lines.info(name)
    assert not stream.getvalue()
    await asyncio.sleep(5 * HOLD_S)
    assert (stream.getvalue(), stream.writes) == ("a\nb\nc\n", 1)
    lines.info("d")
    await asyncio.sleep(5 * HOLD_S)
    assert stream.getvalue() == "a\nb\nc\nd\n"


async def test_a_warning_takes_along_what_waits(lines, stream):
    lines.info("a")
    lines.warning("b")
    assert stream.getvalue() == "a\nb\n"


async def test_no_write_is_longer_than_a_pipe_takes_as_a_whole(lines, stream):
    for number in range(30):
        lines.info(f"{number:03d}" + "é" * 150)
    lines.warning("end")
    told = stream.getvalue().splitlines()
    assert [line[:3] for line in told] == [f"{n:03d}" for n in range(30)] + ["end"]
    assert stream.writes == len(stream.sizes) > 1
    assert max(stream.sizes) <= MOST_BYTES < sum(stream.sizes)


def test_what_waited_when_a_loop_ended_comes_with_the_next_line(lines, stream):
    async def say(name):
        lines.info(name)

    asyncio.run(say("a"))
    asyncio.run(say("b"))
    assert not stream.getvalue()
    lines.info("c")
    assert stream.getvalue() == "a\nb\nc\n"


async def test_lines_of_another_thread_do_not_wait(lines, stream):
    lines.info("a")
    thread = threading.Thread(target=lines.info, args=("b",))
    thread.start()
    await asyncio.to_thread(thread.join, 5)
    assert stream.getvalue() == "a\nb\n"


async def test_a_stream_that_is_gone_ends_nothing(lines, stream):
    stream.close()
    lines.warning("a")


def logged(level):
    done = subprocess.run(
        [sys.executable, "-c", LOGGED.format(level=level)],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_a_process_that_ends_has_written_all_of_it_in_order():
    told = logged("debug")
    assert [line["event"] for line in told] == ["one", "two", "three 3", "four", "five"]
    assert [line["level"] for line in told] == ["debug", "info", "info", "error", "info"]
    assert told[1]["more"] == 2
    assert "KeyError: 'four'" in told[3]["exception"]
    assert all(line["timestamp"].endswith("Z") for line in told)


def test_a_level_holds_for_both_kinds_of_loggers():
    assert [line["event"] for line in logged("warning")] == ["four"]


def test_handlers_take_the_level_of_a_record(stream):
    handler = LinesHandler(Lines(stream))

    async def say():
        handler.emit(logging.LogRecord("x", logging.INFO, "", 0, "a", None, None))
        assert not stream.getvalue()
        handler.emit(logging.LogRecord("x", logging.ERROR, "", 0, "b", None, None))

    asyncio.run(say())
    assert stream.getvalue() == "a\nb\n"
