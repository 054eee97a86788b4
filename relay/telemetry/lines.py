"""Log lines on their way to stderr: those of one moment in one write.

A write to a file may wait for the disk, and holds up everything that the loop has to do; one for
each message was 6 % of the loop's time. Below warning a line waits HOLD_S for others, and the
lines keep their order. Knows nothing of what is in a line.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
from contextlib import suppress
from threading import RLock
from typing import Final

from relay.telemetry.outlet import Sink

HOLD_S: Final = 0.02
"""How long a line may wait. A process that is killed loses no more than that of its log."""

MOST_BYTES: Final = 4096
"""No more than this waits, nor goes out in one write unless it is one line.

What is not longer is written as a whole to a pipe (PIPE_BUF), whoever else writes to it: the
workers of a relay share one.
"""


class Lines:
    """Writes to `stream`. From any thread; only those of a running event loop wait.

    Has the methods that structlog calls for each level, and `handler` for the standard library.
    """

    def __init__(self, stream: Sink) -> None:
        self._stream = stream
        self._waiting: list[str] = []
        self._size = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = RLock()  # a signal's handler may log in the middle of a write
        atexit.register(self.flush)

    def info(self, line: str) -> None:
        """A line that may wait for others."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.warning(line)
            return
        with self._lock:
            self._add(line)
            if len(self._waiting) == 1 or self._loop is not loop:
                self._loop = loop
                loop.call_later(HOLD_S, self.flush)

    def warning(self, line: str) -> None:
        """A line that may not wait, nor those before it."""
        with self._lock:
            self._add(line)
            self.flush()

    debug = info
    error = exception = critical = warning

    def flush(self) -> None:
        """Write what waits."""
        with self._lock:
            text, self._waiting, self._size = "".join(self._waiting), [], 0
            with suppress(OSError, ValueError):  # there is nobody left to tell
                self._stream.write(text)
                self._stream.flush()

    def _add(self, line: str) -> None:
        text = f"{line}\n"
        size = len(text if text.isascii() else text.encode("utf-8", "backslashreplace"))
        if self._size + size > MOST_BYTES:
            self.flush()
        self._waiting.append(text)
        self._size += size


class LinesHandler(logging.Handler):
    """The standard library's records, as `lines`."""

    def __init__(self, lines: Lines) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        """Of logging.Handler."""
        try:
            put = self._lines.warning if record.levelno >= logging.WARNING else self._lines.info
            put(self.format(record))
        except Exception:  # noqa: BLE001 - a line that cannot be told must not end what it tells of
            self.handleError(record)
