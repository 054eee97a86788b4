"""What a file was when it was read, or is now: enough to tell whether it was edited since.

Whoever reads a config notes the files here as it opens them, so that a watch that begins later
knows what was read, without reading it again.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import IO

Stat = tuple[str, int, int, int]
"""Path, inode, size in bytes and time of change in nanoseconds."""

Print = frozenset[Stat]
"""Of several files, with the turn in which they were looked at; two differ after an edit."""

UNKNOWN: Print = frozenset()
"""Of files that nobody noted: no look at files is equal to it."""

_noted: ContextVar[list[Stat] | None] = ContextVar("noted", default=None)


def print_of(stats: Iterable[Stat], turn: int = 0) -> Print:
    """The print of `stats`. Another `turn` makes it another print, edited or not."""
    return frozenset([("", turn, 0, 0), *stats])


def stat_now(path: Path) -> Stat | None:
    """None where there is nothing that could be read."""
    try:
        return _stat(path, path.stat())
    except (OSError, ValueError):
        return None


@contextmanager
def noting_reads() -> Iterator[list[Stat]]:
    """The files that `note` is told of during the block, as they were when they were opened."""
    stats: list[Stat] = []
    token = _noted.set(stats)
    try:
        yield stats
    finally:
        _noted.reset(token)


def note(path: Path, file: IO[bytes]) -> None:
    """`path` is read now, from `file`."""
    stats = _noted.get()
    if stats is not None:
        stats.append(_stat(path, os.fstat(file.fileno())))


def _stat(path: Path, found: os.stat_result) -> Stat:
    return (str(path), found.st_ino, found.st_size, found.st_mtime_ns)
