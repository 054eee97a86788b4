"""The ports of several workers, taken by their supervisor before any of them listens.

A port with SO_REUSEPORT is open to every process of the same user, a second relay included.
So it is first asked for as a single relay would, which fails where somebody listens; then a
socket that never listens keeps it, however the workers come and go.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from relay.core.config import Listener


class ReservedPorts:
    """`listeners` are those asked for, a port of 0 replaced by the one that was found."""

    def __init__(self, listeners: Sequence[Listener]) -> None:
        """Take all ports, or none. Raises OSError, naming the address."""
        self._sockets: list[socket.socket] = []
        try:
            self.listeners = tuple(self._take(listener) for listener in listeners)
        except BaseException:
            self.close()
            raise

    def _take(self, listener: Listener) -> Listener:
        taken = listener
        for family, address in _addresses(listener):
            try:
                port = self._reserve(family, (address, taken.port))
            except OSError as error:
                raise OSError(
                    error.errno, f"cannot listen on {listener.name}: {error.strerror}"
                ) from error
            taken = replace(taken, port=port)
        return taken

    def _reserve(self, family: int, address: tuple[str, int]) -> int:
        with _bound(family, address) as probe:
            address = (address[0], probe.getsockname()[1])
        keeper = _bound(family, address, is_shared=True)
        self._sockets.append(keeper)
        return address[1]

    def close(self) -> None:
        """Give them back."""
        for each in self._sockets:
            with suppress(OSError):
                each.close()
        self._sockets.clear()


def _addresses(listener: Listener) -> list[tuple[int, str]]:
    found = socket.getaddrinfo(
        listener.host, listener.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    return list(dict.fromkeys((family, str(address[0])) for family, _, _, _, address in found))


def _bound(family: int, address: tuple[str, int], *, is_shared: bool = False) -> socket.socket:
    """Bound as asyncio binds, and not listening."""
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    return bound
