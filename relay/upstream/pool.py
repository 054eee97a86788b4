"""The connections of one upstream: how many, for how long, and who gets the next.

Waiting is first come, first served. What goes over a connection is `connection.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from math import inf
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
        self._free = limits.connections
        self._given = asyncio.Semaphore(0)  # slots for those who wait, in the order of waiting
        self._waiting = 0
        self._idle: dict[Connection, float] = {}  # each until when, by the loop's clock
        self._rings_at_s = inf
        self._timer: asyncio.TimerHandle | None = None
        self._busy: set[Connection] = set()
        self._in_use = 0
        self._unused = asyncio.Event()  # once it is closed
        self._is_closed = False

    async def enter(self) -> None:
        """The right to use one connection, to be followed by one `leave`.

        Raises Broken after `command_timeout_s` of waiting.
        """
        if self._free:
            self._free -= 1
        else:
            await self._wait_for_slot()
        self._in_use += 1

    async def _wait_for_slot(self) -> None:
        waited_s = self._limits.command_timeout_s
        self._waiting += 1
        try:
            async with asyncio.timeout(waited_s):
                await self._given.acquire()
        except TimeoutError:
            raise Broken(f"no connection was free for {waited_s:g} s") from None
        finally:
            self._waiting -= 1

    def leave(self) -> None:
        """The slot is free again, or that of one who waits."""
        self._in_use -= 1
        if self._waiting:
            self._given.release()
        else:
            self._free += 1
        if self._is_closed and not self._in_use:
            self._unused.set()

    def take(self, host: SmtpHost) -> Connection | None:
        """The idle connection to `host` used last, if one is still good."""
        now_s = asyncio.get_running_loop().time()
        for connection in [*reversed(self._idle)]:
            if connection.host is not host:
                continue
            if self._idle.pop(connection) > now_s and connection.is_quiet:
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
        elif self._is_closed or connection.message_count >= self._limits.messages_per_connection:
            connection.quit()
        else:
            self._keep(connection)

    async def close(self) -> None:
        """QUIT what is idle, wait CLOSE_S for what is busy, cut the rest."""
        self._is_closed = True
        going = [*self._idle, *self._busy]
        for connection in list(self._idle):
            self._retire(connection)
        if self._timer is not None:
            self._timer.cancel()
        if self._in_use:
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_S):
                    await self._unused.wait()
        for connection in list(self._busy):
            connection.abort()
        await asyncio.gather(*(connection.closed() for connection in going))

    def _keep(self, connection: Connection) -> None:
        """Until it is too old, or was idle for too long; one timer looks after all of them."""
        now_s = asyncio.get_running_loop().time()
        until_s = min(now_s + self._limits.idle_s, connection.opened_at_s + self._limits.age_s)
        if until_s <= now_s:
            connection.quit()
            return
        self._idle[connection] = until_s
        if until_s < self._rings_at_s:
            self._ring_at(until_s)

    def _ring_at(self, at_s: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._rings_at_s = at_s
        self._timer = asyncio.get_running_loop().call_at(at_s, self._ring)

    def _ring(self) -> None:
        self._rings_at_s, self._timer = inf, None
        now_s = asyncio.get_running_loop().time()
        for connection in [kept for kept, until_s in self._idle.items() if until_s <= now_s]:
            self._retire(connection)
        if self._idle:
            self._ring_at(min(self._idle.values()))

    def _retire(self, connection: Connection) -> None:
        del self._idle[connection]
        connection.quit()

    def _require_open(self) -> None:
        if self._is_closed:
            raise Broken("the relay is shutting down")
