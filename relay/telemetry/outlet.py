"""Where log lines leave the process: never waiting for whoever reads them.

A pipe that nobody empties holds up the write, and with it the loop: mail, health checks and
SIGTERM. What finds no room waits here, up to MOST_KEPT; more is lost, and how much is told.
Knows nothing of what is in a line.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import select
import stat
from contextlib import suppress
from threading import RLock
from typing import Final, Protocol, TextIO

import structlog

MOST_KEPT: Final = 1 << 20
"""Bytes that wait for room."""

LAST_S: Final = 1.0
"""How long the end of the process waits for room."""

_PIECE: Final = select.PIPE_BUF
"""Where poll says that there is room, that much is written without waiting (pipe(7))."""
_AGAIN_S: Final = 0.2

log = structlog.get_logger(__name__)


class Sink(Protocol):
    """What `Lines` write to."""

    def write(self, text: str, /) -> int:
        """Take `text`."""

    def flush(self) -> None:
        """Pass on what was taken."""


def outlet_of(stream: TextIO) -> Sink:
    """`stream` itself where it is a file, or none of the system; else one that never waits."""
    try:
        descriptor = stream.fileno()
        is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
    except (OSError, ValueError):
        return stream
    return stream if is_file else Outlet(descriptor)


class Outlet:
    """Writes to a pipe, socket or terminal what it has room for. From any thread."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)
        self._left = bytearray()
        self._lost_count = 0
        self._is_due = False
        self._lock = RLock()  # a signal's handler may log in the middle of a write
        atexit.register(self._push, LAST_S)

    def write(self, text: str) -> int:
        """Write `text` behind what waits, or keep it, or count it as lost."""
        content = text.encode("utf-8", "backslashreplace")
        with self._lock:
            if len(self._left) + len(content) > MOST_KEPT:
                self._lost_count += content.count(b"\n")
            else:
                self._left += content
        return len(text)

    def flush(self) -> None:
        """Write what there is room for now; the rest soon, where a loop runs."""
        with self._lock:
            self._push()
            if self._left and not self._is_due:
                with suppress(RuntimeError):  # no loop: at the next line
                    asyncio.get_running_loop().call_later(_AGAIN_S, self._again)
                    self._is_due = True

    def _again(self) -> None:
        with self._lock:
            self._is_due = False
            self.flush()

    def _push(self, patience_s: float = 0) -> None:
        try:
            while self._left and self._poll.poll(patience_s * 1000):
                piece = self._left[:_PIECE]
                whole = piece.rfind(b"\n") + 1 or len(piece)  # workers share the pipe
                del self._left[: os.write(self._descriptor, piece[:whole])]
        except OSError:
            self._left.clear()  # there is nobody left to tell
        if self._lost_count and not self._left:
            count, self._lost_count = self._lost_count, 0
            log.warning("lines of the log were lost: nobody read it", count=count)
