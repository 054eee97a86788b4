"""A file that holds a secret: read only where it is one, and not everybody may read it."""

from __future__ import annotations

import os
from pathlib import Path

from relay.core.filemode import why_unfit


def read_secret(
    path: Path, most_bytes: int, unfit: type[Exception]
) -> tuple[os.stat_result, bytes]:
    """What is known of the file that was opened, and its first bytes.

    Raises OSError, and `unfit` in words for people. It is looked at before it is opened, for
    whoever opens a pipe that nobody writes to waits for ever, and then again, for it may be
    another one by now.
    """
    _require_fit(path, path.stat(), unfit)
    with path.open("rb") as file:
        found = os.fstat(file.fileno())
        _require_fit(path, found, unfit)
        return found, file.read(most_bytes)


def _require_fit(path: Path, found: os.stat_result, unfit: type[Exception]) -> None:
    if why := why_unfit(path, found.st_mode):
        raise unfit(why)
