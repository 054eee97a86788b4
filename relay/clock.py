"""Now: the real time, or for tests and demonstrations the real time plus an offset.

The only place that asks the machine for the time of day.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

REREAD_S: Final = 0.2

_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""The store counts in seconds of the Unix epoch, from 0 on."""
_LATEST: Final = datetime(9000, 1, 1, tzinfo=UTC)
"""So that the days of the longest ramp after it are still dates."""


class SystemClock:
    """The machine's clock."""

    @property
    def simulated(self) -> str | None:
        """None: this is the real time."""
        return None

    def now(self) -> datetime:
        """See `ports.Clock`."""
        return datetime.now(UTC)


class FileClock:
    """The real time plus the seconds written in a file, read anew every 200 ms.

    A file that is missing, empty or not a number leaves the last offset as it was (0 at
    first), so that a writer who truncates before writing never turns the clock back. So does
    an offset that leads before 1970 or beyond the year 9000: what was sent at such a time
    could not be counted, and would stop the route for good.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = timedelta()
        self._read_at = float("-inf")

    @property
    def simulated(self) -> str | None:
        """What to tell everybody: the file, and the offset in force."""
        self._refresh()
        return f"{self.path} ({self._offset.total_seconds():+.0f} s)"

    def now(self) -> datetime:
        """See `ports.Clock`."""
        self._refresh()
        return datetime.now(UTC) + self._offset

    def _refresh(self) -> None:
        if time.monotonic() - self._read_at < REREAD_S:
            return
        self._read_at = time.monotonic()
        try:
            offset = timedelta(seconds=float(self.path.read_text()))
            if _EARLIEST <= datetime.now(UTC) + offset < _LATEST:
                self._offset = offset
        except (OSError, ValueError, OverflowError):
            return


AnyClock = SystemClock | FileClock


def clock_for(path: Path | None) -> AnyClock:
    """The clock of `--clock FILE`, or the real one."""
    return FileClock(path) if path else SystemClock()
