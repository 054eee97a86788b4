"""Log lines that leave by a pipe: all in order while somebody reads, and never waited for."""

from __future__ import annotations

import asyncio
import os
import select
from collections.abc import Iterator
from itertools import cycle

import pytest
from structlog.testing import capture_logs

from relay.telemetry.outlet import MOST_KEPT, Outlet, outlet_of

LINE = "x" * 99 + "\n"


@pytest.fixture
def ends() -> Iterator[tuple[int, int]]:
    """The two of a pipe, of which the first never waits."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    yield reading, writing
    os.close(reading)
    os.close(writing)


def read_all(reading: int) -> str:
    found = b""
    try:
        while more := os.read(reading, 1 << 20):
            found += more
    except BlockingIOError:
        pass
    return found.decode()


def put(outlet: Outlet, text: str) -> None:
    outlet.write(text)
    outlet.flush()


async def test_what_nobody_reads_comes_later_without_another_line(ends):
    reading, writing = ends
    outlet = Outlet(writing)
    told = [f"line {n:06}\n" for n in range(20_000)]
    for line in told:
        put(outlet, line)
    found = ""
    async with asyncio.timeout(30):
        while len(found) < sum(map(len, told)):
            found += read_all(reading)
            await asyncio.sleep(0.01)
    assert found.splitlines(keepends=True) == told


def test_of_two_that_share_a_pipe_neither_cuts_a_line_in_two(ends):
    reading, writing = ends
    outlets = Outlet(writing), Outlet(writing)
    told = "".join(f"line {n:06}\n" for n in range(20_000))
    for outlet in outlets:
        put(outlet, told)
    found = b""
    for outlet in cycle(outlets):
        put(outlet, "")
        found += os.read(reading, select.PIPE_BUF)
        if len(found) == 2 * len(told):
            break
    assert sorted(found.decode().splitlines(keepends=True)) == sorted(2 * told.splitlines(True))


def test_what_is_too_much_is_lost_and_told(ends):
    reading, writing = ends
    outlet = Outlet(writing)
    held = os.fpathconf(writing, "PC_PIPE_BUF")
    lines = 2 * MOST_KEPT // len(LINE)
    for _ in range(lines):
        put(outlet, LINE)
    found = ""
    with capture_logs() as logs:
        while more := read_all(reading):
            found += more
            put(outlet, "")
    [lost] = [log["count"] for log in logs if "were lost" in log["event"]]
    assert found == LINE * (lines - lost)
    assert MOST_KEPT + held <= len(found) < 2 * MOST_KEPT


def test_a_pipe_that_was_closed_is_forgotten():
    reading, writing = os.pipe()
    outlet = Outlet(writing)
    os.close(reading)
    put(outlet, LINE)
    os.close(writing)


def test_a_file_is_written_to_as_it_is(tmp_path):
    with (tmp_path / "log").open("w") as file:
        assert outlet_of(file) is file
