"""What a client has sent and nobody has read yet: lines for commands, chunks for content.

Bytes are fed in by the protocol's callbacks and awaited by the session; there is one reader.
Counts every byte, so that it can be told what came before a reply was written and what after
(rule 3). Knows no SMTP beyond the line end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

HIGH_WATER_BYTES = 262_144
"""Reading from the socket pauses while this much waits, outside of a message's content."""
LOW_WATER_BYTES = 65_536


class ClientGone(Exception):
    """Nothing more will come. `is_clean`: the client closed, the connection was not broken."""

    def __init__(self, *, is_clean: bool) -> None:
        super().__init__("client gone")
        self.is_clean = is_clean


class Interrupted(Exception):
    """`interrupt` was called while a line was awaited."""


class LineTooLong(Exception):
    """The line was longer than asked for; all of it has been skipped."""


class Intake:
    """The unread bytes of one connection. `valve(False)` stops the socket, `valve(True)` opens it.

    `fed_bytes` counts what has come in, `taken_bytes` what has been read.
    """

    def __init__(self, valve: Callable[[bool], None]) -> None:
        self._buffer = bytearray()
        self._valve = valve
        self._is_open = True
        self._gone: ClientGone | None = None
        self._is_lost = False
        self._is_interrupted = False
        self._waiter: asyncio.Future[None] | None = None
        self.fed_bytes = 0
        self.taken_bytes = 0

    def feed(self, data: bytes) -> None:
        """More has come in."""
        self._buffer += data
        self.fed_bytes += len(data)
        if self._is_open and len(self._buffer) > HIGH_WATER_BYTES:
            self._is_open = False
            self._valve(False)  # noqa: FBT003 - there are only two positions
        self._wake()

    def end(self) -> None:
        """The client closed its side: what is here can still be read, then ClientGone."""
        self._gone = self._gone or ClientGone(is_clean=True)
        self._wake()

    def lose(self, *, is_clean: bool) -> None:
        """The connection is no more: whoever reads gets ClientGone, whatever is still here."""
        self._gone = self._gone or ClientGone(is_clean=is_clean)
        self._gone.is_clean = self._gone.is_clean and is_clean
        self._is_lost = True
        self._wake()

    def interrupt(self) -> None:
        """From now on, an `interruptible` line that is not here yet raises Interrupted."""
        self._is_interrupted = True
        self._wake()

    @property
    def was_closed(self) -> bool:
        """Whether the client has closed its side, and nothing was broken."""
        return self._gone is not None and self._gone.is_clean

    def discard(self) -> None:
        """Forget all that has not been read."""
        self._took(len(self._buffer))

    def has_line(self) -> bool:
        """Whether `line` would return at once."""
        return b"\n" in self._buffer

    async def line(
        self, limit_bytes: int, *, interruptible: bool = False, until_s: float | None = None
    ) -> bytes:
        """The next line with its end. Raises LineTooLong, ClientGone or Interrupted.

        TimeoutError where it has not come by `until_s` of the loop's clock.
        """
        scanned = 0
        while (end := self._buffer.find(b"\n", scanned)) < 0:
            scanned = len(self._buffer)
            if scanned > limit_bytes:
                await self._skip_line(until_s)
                raise LineTooLong
            await self._more(until_s, interruptible=interruptible)
        if self._is_lost and self._gone:
            raise self._gone
        line = bytes(self._buffer[: end + 1])
        self._took(end + 1)
        if len(line) > limit_bytes:
            raise LineTooLong
        return line

    async def chunk(self, until_s: float | None = None) -> bytes:
        """All that is here, at least one byte. Raises ClientGone, or TimeoutError as `line`."""
        if not self._buffer or self._is_lost:
            await self._more(until_s)
        data = bytes(self._buffer)
        self._took(len(data))
        return data

    def give_back(self, data: bytes) -> None:
        """Put the end of the last chunk back, to be read as lines."""
        self._buffer[:0] = data
        self.taken_bytes -= len(data)

    async def ended(self) -> None:
        """Forget what comes, until the client has closed."""
        while self._gone is None:
            self.discard()
            await self._more()

    async def _skip_line(self, until_s: float | None) -> None:
        while (end := self._buffer.find(b"\n")) < 0:
            self.discard()
            await self._more(until_s)
        self._took(end + 1)

    async def _more(self, until_s: float | None = None, *, interruptible: bool = False) -> None:
        if self._gone:
            raise self._gone
        if interruptible and self._is_interrupted:
            raise Interrupted
        loop = asyncio.get_running_loop()
        self._waiter = waiter = loop.create_future()
        # A timer that ends the waiting itself, for asyncio.timeout costs three times as much.
        timer = loop.call_at(until_s, _expire, waiter) if until_s is not None else None
        try:
            await waiter
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)

    def _took(self, count: int) -> None:
        del self._buffer[:count]
        self.taken_bytes += count
        if not self._is_open and len(self._buffer) < LOW_WATER_BYTES:
            self._is_open = True
            self._valve(True)  # noqa: FBT003 - see `feed`


def _expire(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_exception(TimeoutError())
