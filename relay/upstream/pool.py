"""The connections of one upstream: how many, for how long, and who gets the next.

Waiting is first come, first served. What goes over a connection is `connection.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from relay.core.config import SmtpHost, SmtpUpstream
from relay.upstream.connection import Connection
from relay.upstream.wire import Broken

CLOSE_S: Final = 5.0
"""How long `close` waits for deliveries under way before it cuts them."""

Opening = Callable[[SmtpHost], Awaitable[Connection]]


class Pool:
    """At most `limits.connections` are open at a time, busy and idle together."""

    def __init__(self, limits: SmtpUpstream, opening: Opening) -> None:
        self._limits = limits
        self._opening = opening
        self._slots = asyncio.Semaphore(limits.connections)
        self._idle: dict[Connection, asyncio.TimerHandle] = {}
        self._busy: set[Connection] = set()
        self._in_use = 0
        self._unused = asyncio.Event()
        self._unused.set()
        self._is_closed = False

    async def enter(self) -> None:
        """The right to use one connection, to be followed by one `leave`.

        Raises Broken after `command_timeout_s` of waiting.
        """
        if self._slots.locked():
            await self._wait_for_slot()
        else:
            await self._slots.acquire()  # at once
        self._in_use += 1
        self._unused.clear()

    async def _wait_for_slot(self) -> None:
        waited_s = self._limits.command_timeout_s
        try:
            async with asyncio.timeout(waited_s):
                await self._slots.acquire()
        except TimeoutError:
            raise Broken(f"no connection was free for {waited_s:g} s") from None

    def leave(self) -> None:
        """The slot is free again."""
        self._in_use -= 1
        self._slots.release()
        if not self._in_use:
            self._unused.set()

    def take(self, host: SmtpHost) -> Connection | None:
        """The idle connection to `host` used last, if one is still good."""
        for connection in reversed(list(self._idle)):
            if connection.host != host:
                continue
            self._idle.pop(connection).cancel()
            if connection.is_quiet and not self._is_worn(connection):
                self._busy.add(connection)
                return connection
            connection.quit()
        return None

    async def open(self, host: SmtpHost) -> Connection:
        """A new connection to `host`. Raises Broken."""
        self._require_open()
        if self._idle and len(self._idle) + self._in_use > self._limits.connections:
            self._retire(next(iter(self._idle)))  # an idle one, to another host, makes room
        connection = await self._opening(host)
        self._busy.add(connection)
        if self._is_closed:
            self.give_back(connection)
        self._require_open()
        return connection

    def give_back(self, connection: Connection) -> None:
        """After use, whatever happened: keeps it if it is good for another message."""
        self._busy.discard(connection)
        if not connection.is_reusable:
            connection.abort()
        elif self._is_closed or not connection.is_quiet or self._is_worn(connection):
            connection.quit()
        else:
            self._keep(connection)

    async def close(self) -> None:
        """QUIT what is idle, wait CLOSE_S for what is busy, cut the rest."""
        self._is_closed = True
        going = [*self._idle, *self._busy]
        for connection in list(self._idle):
            self._retire(connection)
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await self._unused.wait()
        for connection in list(self._busy):
            connection.abort()
        await asyncio.gather(*(connection.closed() for connection in going))

    def _keep(self, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        left_s = connection.opened_at_s + self._limits.age_s - loop.time()
        after_s = min(self._limits.idle_s, left_s)
        self._idle[connection] = loop.call_later(after_s, self._retire, connection)

    def _retire(self, connection: Connection) -> None:
        self._idle.pop(connection).cancel()
        connection.quit()

    def _is_worn(self, connection: Connection) -> bool:
        if connection.message_count >= self._limits.messages_per_connection:
            return True
        age_s = asyncio.get_running_loop().time() - connection.opened_at_s
        return age_s >= self._limits.age_s

    def _require_open(self) -> None:
        if self._is_closed:
            raise Broken("the relay is shutting down")
