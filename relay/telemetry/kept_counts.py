"""The file in which a worker keeps its counts, on a disk that may be full.

The library maps a file that is longer than what was ever written of it. The first touch of a
page for which the disk has no room then kills the process (SIGBUS). Here the room is taken by
writing before it is mapped; where there is none, the counts wait in memory until there is.
"""

from __future__ import annotations

import mmap
import os
import time
from contextlib import suppress
from pathlib import Path
from struct import Struct
from typing import Final

from prometheus_client.mmap_dict import MmapedDict

FIRST_BYTES: Final = 65_536
"""What the library maps at first; it doubles that whenever it is used up."""

TRY_EVERY_S: Final = 1.0
_TWO: Final = Struct("dd")
"""Put in its place as a whole: a reader of the file never sees half of it."""


class KeptCounts(MmapedDict):
    """As the library's, for writing, but never maps what the disk has no room for."""

    def __init__(self, filename: str, read_mode: bool = False) -> None:  # noqa: FBT001, FBT002  as the library's
        """Raises OSError where the file cannot be opened at all."""
        self._waiting: dict[str, tuple[float, float]] = {}
        self._tried_s = float("-inf")
        if read_mode or _has_room(filename):
            super().__init__(filename, read_mode)  # type: ignore[no-untyped-call]
            return
        # No room for a first page: its room in memory is one that everything is too large for.
        self._f = Path(filename).open("a+b")  # noqa: SIM115  as long as the process lives
        self._fname, self._positions = filename, {}
        self._m, self._capacity, self._used = mmap.mmap(-1, mmap.PAGESIZE), 8, 8

    def read_value(self, key: str) -> tuple[float, float]:
        """See the library."""
        self._kept(key)
        if key in self._waiting:
            return self._waiting[key]
        found: tuple[float, float] = super().read_value(key)  # type: ignore[no-untyped-call]
        return found

    def write_value(self, key: str, value: float, timestamp: float) -> None:
        """See the library. Never fails for want of room."""
        at = self._positions.get(key)
        if at is not None:
            self._m[at : at + _TWO.size] = _TWO.pack(value, timestamp)
        elif self._kept(key):
            super().write_value(key, value, timestamp)  # type: ignore[no-untyped-call]
        else:
            self._waiting[key] = (value, timestamp)

    def _kept(self, key: str) -> bool:
        """Whether `key` is in the file, or can be put there now with what waits."""
        if key in self._positions:
            return True
        if time.monotonic() - self._tried_s >= TRY_EVERY_S or not self._waiting:
            self._put_down(key)
        if key not in self._positions:
            self._waiting.setdefault(key, (0.0, 0.0))
        return key in self._positions

    def _put_down(self, key: str) -> None:
        try:
            for each in (*self._waiting, key):
                self._make_room(each)
                super().write_value(each, *self._waiting.get(each, (0.0, 0.0)))  # type: ignore[no-untyped-call]
                self._waiting.pop(each, None)
        except OSError:
            self._tried_s = time.monotonic()

    def _make_room(self, key: str) -> None:
        """Take what the library will map if it adds `key`. Raises OSError."""
        needed = self._used + len(key.encode()) + 32  # its length, padding and two numbers
        if needed <= self._capacity:
            return
        wanted = max(self._capacity, FIRST_BYTES)
        while wanted < needed:
            wanted *= 2
        _grow(self._f.fileno(), wanted)
        self._m = mmap.mmap(self._f.fileno(), wanted)
        self._capacity = wanted
        self._m[:4] = self._used.to_bytes(4, "little")


def _has_room(filename: str) -> bool:
    with suppress(OSError), Path(filename).open("a+b") as file:
        _grow(file.fileno(), FIRST_BYTES)
        return True
    return False


def _grow(descriptor: int, size: int) -> None:
    """Bring the file to `size` bytes that are on the disk, or leave it alone and raise OSError."""
    before = os.fstat(descriptor).st_size
    missing = size - before
    try:
        while missing > 0:
            missing -= os.write(descriptor, bytes(missing))
    except OSError:
        os.ftruncate(descriptor, before)
        raise
