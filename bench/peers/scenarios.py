"""What a cap of 100 recipients a day lets through, for each system: counted at the sink.

Each scenario starts with an instance that has sent nothing. What is right is in RIGHT; where the
numbers come from in another way than for the others, `Found.notes` says so.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.peers.clock import Clock
from bench.peers.offers import Heard, offer
from bench.peers.system import System, Wanted
from tests.harness.upstream import SinkProcess

CAP, RAISED = 100, 150
CLIENTS, EACH = 50, 6
EDITED_S = 2.0
DRAIN_S = 40.0

COLUMNS = {
    "parallel": "300 messages from 50 clients at once",
    "restart": "after a restart, 300 more",
    "edit": "after an edit to 150 in mid-day, 300 more",
    "before_midnight": "at 23:50",
    "after_midnight": "at 00:01, 300 more",
    "next_evening": "at 23:55 of that day, 300 more",
    "many_recipients": "30 messages to 10 recipients each",
}
RIGHT = dict(zip(COLUMNS, (100, 0, 50, 100, 100, 0, 100), strict=True))


@dataclass(slots=True)
class Found:
    """What one system did: recipients at the sink by scenario, None where it failed."""

    counts: dict[str, int | None] = field(default_factory=dict)
    said: str = ""
    notes: list[str] = field(default_factory=list)


class Stage:
    """One running instance of a system and the sink behind it."""

    def __init__(self, system: System, sink: SinkProcess, clock: Clock | None) -> None:
        self.system = system
        self.clock = clock
        self.said = ""
        self._sink = sink
        self._arrived = 0

    def offer(self, *, clients: int = CLIENTS, each: int = EACH, recipients: int = 1) -> int:
        """Offer mail; how many recipients came through to the sink."""
        heard = offer(self.system.port, clients=clients, each=each, recipients=recipients)
        self.said = self.said or heard.said
        before, self._arrived = self._arrived, self._drained(heard)
        return self._arrived - before

    def _drained(self, heard: Heard) -> int:
        """The recipients at the sink, once all that was accepted is there or DRAIN_S have gone."""
        deadline = time.monotonic() + DRAIN_S
        seen, wanted = -1, self._arrived + heard.accepted
        while True:
            time.sleep(0.5)
            now = len(self._sink.recipients())
            if (now == seen and now >= wanted) or time.monotonic() > deadline:
                return now
            seen = now

    def move(self, **since_begin: float) -> None:
        """Move its time to so much after 23:50."""
        assert self.clock
        self.system.moved(self.clock.move(**since_begin))


@contextmanager
def staged(kind: type[System], *, timed: bool = False) -> Iterator[Stage]:
    """An instance with a cap of CAP, and its end."""
    home = Path(tempfile.mkdtemp(prefix="wr-bench-"))
    home.chmod(0o755)
    sink = SinkProcess(home / "sink")
    clock = Clock(home / "clock") if timed else None
    system = kind(Wanted(sink.port, CAP, clock))
    try:
        system.start()
        system.settle()
        yield Stage(system, sink, clock)
    finally:
        system.end()
        sink.end()
        shutil.rmtree(home, ignore_errors=True)


def _restart(kind: type[System]) -> Iterator[tuple[str, int, str]]:
    with staged(kind) as stage:
        yield "parallel", stage.offer(), stage.said
        stage.system.stop()
        stage.system.start()  # and the clients are there at once, as they are in life
        yield "restart", stage.offer(), stage.said


def _edit(kind: type[System]) -> Iterator[tuple[str, int, str]]:
    with staged(kind) as stage:
        stage.offer()
        stage.system.edit(RAISED)
        time.sleep(EDITED_S)
        yield "edit", stage.offer(), stage.said


def _midnight(kind: type[System]) -> Iterator[tuple[str, int, str]]:
    with staged(kind, timed=True) as stage:
        yield "before_midnight", stage.offer(), stage.said
        stage.move(minutes=11)
        yield "after_midnight", stage.offer(), stage.said
        stage.move(days=1, minutes=5)
        yield "next_evening", stage.offer(), stage.said


def _recipients(kind: type[System]) -> Iterator[tuple[str, int, str]]:
    with staged(kind) as stage:
        yield "many_recipients", stage.offer(clients=10, each=3, recipients=10), stage.said


def run(kind: type[System], tell: Callable[[str], None]) -> Found:
    """All scenarios of one system. One that cannot be run is a note, and None in its columns."""
    found = Found(dict.fromkeys(COLUMNS))
    for scenario in (_restart, _edit, _midnight, _recipients):
        try:
            for column, count, said in scenario(kind):
                found.counts[column] = count
                found.said = found.said or said
                tell(f"{kind.about.name}: {COLUMNS[column]}: {count} (right: {RIGHT[column]})")
        except (OSError, AssertionError) as error:
            found.notes.append(f"{scenario.__name__.strip('_')}: {str(error).splitlines()[0]}")
            tell(f"{kind.about.name}: {error}")
    return found
