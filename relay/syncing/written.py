"""Whether the embedded server could write all that it has answered to its file.

A server that does not sync by itself goes on after a write that failed (no room, a quota, an
I/O error): it keeps what it could not write in memory, refuses the next change, and says so to
whoever asks. Blocks, within its deadline. Speaks one command of the protocol.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Final

_QUESTION: Final = b"INFO persistence\r\n"
_FINE: Final = b"aof_last_write_status:ok\r\n"
_MOST_BYTES: Final = 65_536


class Written:
    """Asks the server that listens on the socket that `where` gives; over one connection."""

    def __init__(self, where: Callable[[], str | None], timeout_s: float) -> None:
        self._where = where
        self._timeout_s = timeout_s
        self._connection: socket.socket | None = None

    def check(self) -> None:
        """Raise OSError unless all that was answered before this call has been written."""
        is_used = self._connection is not None
        try:
            answer = self._asked()
        except OSError as error:
            self.close()
            if not is_used or isinstance(error, TimeoutError):
                raise
            answer = self._asked()  # another server by now: it has read what the last one wrote
        if _FINE not in answer:
            raise OSError(errno.EIO, "the store could not write its file")

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection, as far as is known."""
        return self._connection is not None

    def ask(self) -> None:
        """Ask over the connection there is; `told` has to follow, or `close`."""
        with suppress(OSError):  # `told` meets it
            if self._connection is not None:
                self._connection.sendall(_QUESTION)

    def told(self) -> bool:
        """Whether all has been written, as the answer says; False where none comes."""
        try:
            return _FINE in self._answer()
        except OSError:
            self.close()
            return False

    def close(self) -> None:
        """Close the connection; `check` makes another."""
        if self._connection is not None:
            with suppress(OSError):
                self._connection.close()
            self._connection = None

    def _asked(self) -> bytes:
        if self._connection is None:
            self._connection = self._connect()
        self._connection.sendall(_QUESTION)
        return self._answer()

    def _answer(self) -> bytes:
        head, _, answer = self._read_until(b"", b"\r\n").partition(b"\r\n")
        if head[:1] != b"$" or not head[1:].isdigit():
            raise OSError(errno.EPROTO, "the store does not tell whether it could write")
        return self._read_up_to(answer, min(int(head[1:]), _MOST_BYTES) + 2)

    def _connect(self) -> socket.socket:
        path = self._where()
        if path is None:
            raise OSError(errno.ENOENT, "the store's socket is not known")
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        made.settimeout(self._timeout_s)
        try:
            made.connect(path)
        except OSError:
            made.close()
            raise
        return made

    def _read_until(self, read: bytes, ending: bytes) -> bytes:
        while ending not in read:
            read += self._more()
        return read

    def _read_up_to(self, read: bytes, size: int) -> bytes:
        while len(read) < size:
            read += self._more()
        return read

    def _more(self) -> bytes:
        if self._connection is None:
            raise OSError(errno.ENOTCONN, "nothing was asked")
        more = self._connection.recv(_MOST_BYTES)
        if not more:
            raise OSError(errno.ECONNRESET, "the store closed the connection")
        return more
