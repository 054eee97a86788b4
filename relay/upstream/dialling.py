"""From a host's name to a connected socket: addresses looked up, and tried in their order.

The system's resolver cannot be interrupted: where nobody answers for a name it takes up to half
a minute, also when whoever asked has given up. The loop's own lookups share four threads, which
a few of those keep from everybody else. So each lookup has a thread of its own, and of each name
there is one lookup at a time, however many messages wait for it.

An address that never answers (IPv6 that leads nowhere, mostly) would use up all the time there is
to connect, so the next is tried beside it (RFC 8305).
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from contextlib import suppress
from functools import partial
from threading import Thread
from typing import Any, Final

from relay.core.config import SmtpHost

Address = tuple[socket.AddressFamily, socket.SocketKind, int, tuple[Any, ...]]
"""Of a host: family, kind and protocol of a socket, and what it connects to."""

HEAD_START_S: Final = 0.25
"""Of each address on the next one (RFC 8305 §5)."""


class Dialler:
    """Of one loop, and as many hosts as the config names."""

    def __init__(self) -> None:
        self._lookups: dict[tuple[str, int], asyncio.Future[list[Address]]] = {}

    async def connected(self, host: SmtpHost) -> socket.socket:
        """A socket connected to `host`, for the caller to close.

        Raises OSError, and UnicodeError for what can be no name. A cancelled call leaves nothing
        open; its lookup goes on, for who asks next.
        """
        return await _first_of(await self._addresses(host))

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


async def _first_of(addresses: list[Address]) -> socket.socket:
    """The first socket to be connected; the next address is tried beside those that are late."""
    trouble = OSError("the name has no address")
    waiting, made = deque(addresses), list[socket.socket]()
    late: set[asyncio.Task[OSError | None]] = set()
    try:
        async with asyncio.TaskGroup() as group:
            while not made and (waiting or late):
                if waiting:
                    late.add(group.create_task(_try(waiting.popleft(), made)))
                head_start_s = HEAD_START_S if waiting else None
                first = asyncio.FIRST_COMPLETED
                ended, late = await asyncio.wait(late, timeout=head_start_s, return_when=first)
                trouble = next(filter(None, (each.result() for each in ended)), trouble)
            for each in late:
                each.cancel()
        if not made:
            raise trouble
        return made.pop(0)
    finally:
        for other in made:
            other.close()


async def _try(address: Address, made: list[socket.socket]) -> OSError | None:
    """Add a socket connected to `address` to `made`, or tell why there is none."""
    family, kind, protocol, at = address
    try:
        made.append(await _connected(socket.socket(family, kind, protocol), at))
    except OSError as error:
        return error
    return None


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
