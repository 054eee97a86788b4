"""Requests come in, one sync answers all that were there when it began.

Owns the connections. Plain and blocking: whoever asks during a sync waits in its connection for
the next one. Ends when its lifeline does.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from relay.syncing import wire

_MOST_BYTES: Final = 64
"""Read of one connection at once; a client has one request under way, and one byte is one."""


class Serving:
    """Serves those who connect to `listener`, until the descriptor `lifeline` is at its end.

    `files` syncs whatever the server says and raises OSError; `all_written` asks the server too.
    """

    def __init__(
        self,
        listener: socket.socket,
        lifeline: int,
        files: Callable[[], None],
        all_written: Callable[[], None],
    ) -> None:
        listener.settimeout(0)
        self._listener = listener
        self._listening = listener.fileno()
        self._lifeline = lifeline
        self._works = {wire.PING: _nothing, wire.FILES: files, wire.SYNC: all_written}
        self._clients: dict[int, socket.socket] = {}
        self._poll = select.poll()
        self._poll.register(lifeline, select.POLLIN)
        self._poll.register(listener, select.POLLIN)

    def serve(self) -> None:
        """Answer, until the lifeline is cut."""
        while (asked := self._asked()) is not None:
            # Those who only want the files do not wait for a server that does not answer.
            for kind, work in self._works.items():
                those = [client for client, said in asked.items() if kind in said]
                if those:
                    told = _outcome(work)
                    for client in those:
                        self._tell(client, told)

    def close(self) -> None:
        """Close all connections, and the listener."""
        for client in list(self._clients):
            self._drop(client)
        self._listener.close()

    def _asked(self) -> dict[int, bytes] | None:
        """What was said meanwhile, by the descriptor of who said it; None at the end."""
        ready = dict(self._poll.poll())
        if self._listening in ready:
            self._welcome()
            ready = dict(self._poll.poll(0))  # the new ones with them
        if self._lifeline in ready:
            return None
        return {each: self._heard(each) for each in ready if each in self._clients}

    def _welcome(self) -> None:
        with suppress(BlockingIOError):  # that was all of them
            while True:
                with suppress(ConnectionError):  # it has left before it was let in
                    client, _ = self._listener.accept()
                    client.settimeout(0)
                    self._clients[client.fileno()] = client
                    self._poll.register(client, select.POLLIN)

    def _heard(self, descriptor: int) -> bytes:
        try:
            said = self._clients[descriptor].recv(_MOST_BYTES)
        except OSError:
            said = b""
        if not said:
            self._drop(descriptor)
        return said

    def _tell(self, descriptor: int, told: bytes) -> None:
        """It has left, or does not read: then it asks anew over another connection."""
        if descriptor in self._clients:
            try:
                self._clients[descriptor].sendall(told)
            except OSError:
                self._drop(descriptor)

    def _drop(self, descriptor: int) -> None:
        self._poll.unregister(descriptor)
        self._clients.pop(descriptor).close()


def _nothing() -> None:
    return None


def _outcome(work: Callable[[], None]) -> bytes:
    try:
        work()
    except OSError as error:
        return wire.answer(error)
    return wire.FINE
