"""A clock that the scenarios move: an offset in a file, read by libfaketime, and by our relay."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

REREAD_S = 1


class Clock:
    """Begins ten minutes before the next midnight but one in UTC; real time goes on from there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        self._begin = midnight + timedelta(days=1, hours=23, minutes=50)
        self._offset = self._begin - datetime.now(UTC)
        self._write()

    def move(self, **since_begin: float) -> float:
        """To this much after the beginning; by how many seconds that was.

        Everybody has read it when this returns.
        """
        before = self._offset
        self._offset = self._begin + timedelta(**since_begin) - datetime.now(UTC)
        self._write()
        time.sleep(REREAD_S + 0.5)
        return (self._offset - before).total_seconds()

    def _write(self) -> None:
        # In place: whoever has dropped its privileges must be able to read it too.
        self.path.write_text(f"{self._offset.total_seconds():+.0f}\n")
        self.path.chmod(0o644)

    def environment(self) -> dict[str, str]:
        """For a daemon: libfaketime, with the monotonic clock left as it is."""
        found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
        assert found, "libfaketime is not installed; see scripts/setup bench"
        return {
            "LD_PRELOAD": str(found[0]),
            "FAKETIME_TIMESTAMP_FILE": str(self.path),
            "FAKETIME_CACHE_DURATION": str(REREAD_S),
            "DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "TZ": "UTC",
        }
