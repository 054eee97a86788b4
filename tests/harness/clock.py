"""The clock of a relay under test: the real time plus an offset in a file."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

REREAD_S = 0.2


class MovableClock:
    """Begins at the next noon in UTC, so that no test ever meets a midnight it did not ask for.

    With `real` it begins at the real time: for verifiers that have no clock but that one.
    """

    def __init__(self, path: Path, *, real: bool = False) -> None:
        self.path = path
        self._offset = timedelta() if real else _until_noon()
        self._write()

    def now(self) -> datetime:
        """What the relay takes for now."""
        return datetime.now(UTC) + self._offset

    @property
    def offset(self) -> timedelta:
        """How far it is before the real time."""
        return self._offset

    def move(self, **delta: float) -> None:
        """Move it (days=1, hours=…), and wait until every process has read it."""
        self._offset += timedelta(**delta)
        self._write()
        time.sleep(2 * REREAD_S)

    def _write(self) -> None:
        beside = self.path.with_suffix(".new")
        beside.write_text(str(self._offset.total_seconds()))
        beside.replace(self.path)


def _until_noon() -> timedelta:
    real = datetime.now(UTC)
    noon = real.replace(hour=12, minute=0, second=0, microsecond=0)
    return noon - real if noon > real else noon + timedelta(days=1) - real
