"""From a host's name to a connected socket: addresses looked up, and tried in their order.

The system's resolver cannot be interrupted: where nobody answers for a name it takes up to half
a minute, also when whoever asked has given up. The loop's own lookups share four threads, which
a few of those keep from everybody else. So each lookup has a thread of its own, and of each name
there is one lookup at a time, however many messages wait for it.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from functools import partial
from threading import Thread
from typing import Any

from relay.core.config import SmtpHost

Address = tuple[socket.AddressFamily, socket.SocketKind, int, tuple[Any, ...]]
"""Of a host: family, kind and protocol of a socket, and what it connects to."""


class Dialler:
    """Of one loop, and as many hosts as the config names."""

    def __init__(self) -> None:
        self._lookups: dict[tuple[str, int], asyncio.Future[list[Address]]] = {}

    async def connected(self, host: SmtpHost) -> socket.socket:
        """A socket connected to `host`, for the caller to close.

        Raises OSError, and UnicodeError for what can be no name. A cancelled call leaves nothing
        open; its lookup goes on, for who asks next.
        """
        trouble = OSError("the name has no address")
        for family, kind, protocol, address in await self._addresses(host):
            try:
                return await _connected(socket.socket(family, kind, protocol), address)
            except OSError as error:
                trouble = error
        raise trouble

    async def _addresses(self, host: SmtpHost) -> list[Address]:
        at = host.host, host.port
        with suppress(socket.gaierror):  # then it is a name
            return _addresses_of(*at, socket.AI_NUMERICHOST)
        lookup = self._lookups.get(at)
        if lookup is None:
            lookup = asyncio.get_running_loop().create_future()
            Thread(target=_look_up, args=(lookup, at), name="lookup", daemon=True).start()
            lookup.add_done_callback(partial(self._ended, at))
            self._lookups[at] = lookup
        return await asyncio.shield(lookup)

    def _ended(self, at: tuple[str, int], lookup: asyncio.Future[list[Address]]) -> None:
        del self._lookups[at]
        lookup.exception()  # heard, though nobody may wait any more


async def _connected(made: socket.socket, address: tuple[Any, ...]) -> socket.socket:
    try:
        made.settimeout(0)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(made, address)
    except BaseException:
        made.close()
        raise
    return made


def _look_up(lookup: asyncio.Future[list[Address]], at: tuple[str, int]) -> None:
    """In the thread."""
    try:
        tell = partial(lookup.set_result, _addresses_of(*at))
    except OSError as error:
        tell = partial(lookup.set_exception, error)
    with suppress(RuntimeError):  # the loop has ended meanwhile
        lookup.get_loop().call_soon_threadsafe(tell)


def _addresses_of(name: str, port: int, flags: int = 0) -> list[Address]:
    """Raises OSError, UnicodeError."""
    tcp = socket.SOCK_STREAM, socket.IPPROTO_TCP
    found = socket.getaddrinfo(name, port, socket.AF_UNSPEC, *tcp, flags)
    return [(family, kind, protocol, address) for family, kind, protocol, _, address in found]
