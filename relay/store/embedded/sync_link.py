"""This process's connection to the one that syncs the store's file.

Blocks nowhere: a socket of the same machine takes a byte at once, and written by hand it leaves
before the task that wrote it goes on, where a transport would wait for the loop's next turn.
Knows nothing of who waits; `disk.py` does.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final

from relay.syncing.wire import MOST_BYTES, error_in

Where = Callable[[], Path | None]


def connected(where: Where) -> socket.socket:
    """A connection to whoever listens there, or soon will. Raises OSError."""
    path = where()
    if path is None:
        raise OSError(errno.ENOENT, "no relay owns the store: nobody syncs its file")
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.settimeout(0)
    try:
        made.connect(str(path))
    except OSError:
        made.close()
        raise
    return made


_TRIES: Final = 2
"""The second one reaches the process that was started instead: a sync may be done twice."""


class SyncLink:
    """Has one request under way at most; `answered` is called once for each."""

    def __init__(self, where: Where, answered: Callable[[OSError | None], None]) -> None:
        self._where = where
        self._answered = answered
        self._connection: socket.socket | None = None
        self._asked = b""
        self._tries = 0
        self._read = b""

    def ask(self, what: bytes) -> None:
        """Say `what` (`syncing/wire.py`), now. Never raises; a failure is answered too."""
        self._asked, self._tries = what, 0
        self._say()

    def close(self) -> None:
        """Leave. What is under way is not answered any more."""
        self._asked = b""
        self._leave()

    def _say(self) -> None:
        self._tries += 1
        try:
            if self._connection is None:
                self._connection = connected(self._where)
                asyncio.get_running_loop().add_reader(self._connection.fileno(), self._hear)
            self._connection.send(self._asked)
        except OSError as error:
            self._lost(error)

    def _hear(self) -> None:
        if self._connection is None:
            return
        try:
            said = self._connection.recv(MOST_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self._lost(error)
            return
        if not said:
            self._lost(OSError(errno.ECONNRESET, "the process that syncs the store's file ended"))
            return
        self._read += said
        if self._read.endswith(b"\n"):
            self._end(error_in(self._read))

    def _lost(self, error: OSError) -> None:
        self._leave()
        if not self._asked:
            return
        if self._tries < _TRIES:
            self._say()
        else:
            self._end(error)

    def _end(self, error: OSError | None) -> None:
        self._read = self._asked = b""
        self._answered(error)

    def _leave(self) -> None:
        self._read = b""
        if self._connection is not None:
            asyncio.get_running_loop().remove_reader(self._connection.fileno())
            self._connection.close()
            self._connection = None
