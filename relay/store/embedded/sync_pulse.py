"""Whether the process that syncs still answers: asked by its owner, on a connection of its own.

Never blocks. Counts looks, not seconds: an owner that was itself stopped for a while has not
looked meanwhile, and takes nobody else for dead.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Final

from relay.store.embedded.sync_link import Where, connected
from relay.syncing.wire import MOST_BYTES, PING

LOOKS: Final = 10
"""After as many looks at one that answered it is asked again."""


class Pulse:
    """Of the process that serves the socket `where`."""

    def __init__(self, where: Where) -> None:
        self._where = where
        self._connection: socket.socket | None = None
        self._looks = 0
        self._is_asked = False

    @property
    def silent_for(self) -> int:
        """For how many looks it has owed an answer."""
        return self._looks if self._is_asked else 0

    def beats(self) -> bool:
        """Look once: whether it answered what it was asked last."""
        self._looks += 1
        try:
            self._look()
        except BlockingIOError:
            return False
        except OSError:
            self.close()
            return False
        return not self._is_asked

    def close(self) -> None:
        """Let go; the next look begins anew."""
        if self._connection is not None:
            with suppress(OSError):
                self._connection.close()
        self._connection, self._looks, self._is_asked = None, 0, False

    def _look(self) -> None:
        if self._is_asked and self._connection:
            if not self._connection.recv(MOST_BYTES):
                raise ConnectionResetError
            self._is_asked, self._looks = False, 0
        elif self._is_asked or self._connection is None or self._looks >= LOOKS:
            self._ask()

    def _ask(self) -> None:
        if not self._is_asked:
            self._is_asked, self._looks = True, 0
        if self._connection is None:  # where it lets nobody in, that is silence too
            self._connection = connected(self._where)
        self._connection.send(PING)
