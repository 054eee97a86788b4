"""What a client has sent and nobody has read yet: lines for commands, all of it for content.

Bytes are fed in by the protocol's callbacks and awaited by the session; there is one reader. It
may leave an *attendant* behind, which sees to what comes in on the spot: a command that needs no
waiting then costs no switch of tasks, and a long content one switch in all.
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
    """`interrupt` was called while an idle session waited."""


class LineTooLong(Exception):
    """The line was longer than asked for; all of it has been skipped."""


Attend = Callable[[], bool]
"""Sees to all that is here. False: no more of it now, the session has to do something first."""


class Intake:
    """The unread bytes of one connection. `valve(False)` stops the socket, `valve(True)` opens it.

    `unread` is what nobody has read yet; `fed_bytes` counts what has come in, `taken_bytes` what
    has been read. `until_s`, of the loop's clock, is when waiting ends; an attendant moves it on.
    """

    def __init__(self, valve: Callable[[bool], None]) -> None:
        self.unread: bytes | bytearray = b""  # as it came, until more comes
        self._valve = valve
        self._loop = asyncio.get_running_loop()
        self._is_open = True
        self._gone: ClientGone | None = None
        self._is_lost = False
        self._is_interrupted = False
        self._waiter: asyncio.Future[None] | None = None
        self._attend: Attend | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._rings_at_s = 0.0
        self.until_s: float | None = None
        self.fed_bytes = 0
        self.taken_bytes = 0

    def feed(self, data: bytes) -> None:
        """More has come in."""
        self.fed_bytes += len(data)
        if not self.unread:
            self.unread = data
        else:
            self.unread = _growing(self.unread)
            self.unread += data
        if self._waiter is not None and not self._waiter.done():
            self._see_to_it(self._waiter)
        if self._is_open and len(self.unread) > HIGH_WATER_BYTES:
            self._is_open = False
            self._valve(False)  # noqa: FBT003 - there are only two positions

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
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def interrupt(self) -> None:
        """From now on, whoever waits in `attended` and is idle gets Interrupted."""
        self._is_interrupted = True
        self._wake()

    @property
    def was_closed(self) -> bool:
        """Whether the client has closed its side, and nothing was broken."""
        return self._gone is not None and self._gone.is_clean

    def discard(self) -> None:
        """Forget all that has not been read."""
        self._took(len(self.unread))

    def __len__(self) -> int:
        return len(self.unread)

    def take_line(self, limit_bytes: int) -> bytes | None:
        """The next line with its end, if it is here. Raises LineTooLong."""
        end = self.unread.find(b"\n") + 1
        if not end:
            return None
        line = self._take(end)
        if end > limit_bytes:
            raise LineTooLong
        return line

    def take(self) -> bytes:
        """All that is here."""
        return self._take(len(self.unread))

    def _take(self, count: int) -> bytes:
        if count < len(self.unread) or not self._is_open:
            data = bytes(self.unread[:count])
            self._took(count)
            return data
        data, self.unread = bytes(self.unread), b""  # as nearly always
        self.taken_bytes += count
        return data

    async def attended(self, attend: Attend, is_idle: Callable[[], bool] = lambda: False) -> None:
        """Have `attend` see to what is here and to what comes, until it says False.

        It is called where the bytes come in, and must not wait. Raises what it raises, ClientGone
        once there is nothing left, Interrupted while `is_idle`, TimeoutError at `until_s`.
        """
        while self._is_lost or attend():
            await self._more(self.until_s, interruptible=is_idle(), attend=attend)

    async def line(self, limit_bytes: int, until_s: float | None = None) -> bytes:
        """The next line with its end. Raises LineTooLong or ClientGone.

        TimeoutError where it has not come by `until_s` of the loop's clock.
        """
        scanned = 0
        while (end := self.unread.find(b"\n", scanned)) < 0:
            scanned = len(self.unread)
            if scanned > limit_bytes:
                await self._skip_line(until_s)
                raise LineTooLong
            await self._more(until_s)
        if self._is_lost and self._gone:
            raise self._gone
        line = self._take(end + 1)
        if len(line) > limit_bytes:
            raise LineTooLong
        return line

    def give_back(self, data: bytes) -> None:
        """Put the end of what was taken back, to be read as lines."""
        self.unread = data + bytes(self.unread)
        self.taken_bytes -= len(data)

    async def ended(self) -> None:
        """Forget what comes, until the client has closed."""
        while self._gone is None:
            self.discard()
            await self._more()

    async def _skip_line(self, until_s: float | None) -> None:
        while (end := self.unread.find(b"\n")) < 0:
            self.discard()
            await self._more(until_s)
        self._took(end + 1)

    async def _more(
        self,
        until_s: float | None = None,
        *,
        interruptible: bool = False,
        attend: Attend | None = None,
    ) -> None:
        if self._gone:
            raise self._gone
        if interruptible and self._is_interrupted:
            raise Interrupted
        self.until_s = until_s
        if until_s is not None:
            self._watch(until_s)
        self._attend = attend
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = self._attend = None

    def _see_to_it(self, waiter: asyncio.Future[None]) -> None:
        """Something has come in: the attendant's, or else a reason to wake whoever waits."""
        try:
            is_seen_to = self._attend is not None and self._attend()
        except Exception as error:  # noqa: BLE001 - raised again where `waiter` is awaited
            waiter.set_exception(error)
            return
        if not is_seen_to or self._is_interrupted:  # it may have become idle by that
            waiter.set_result(None)

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)

    def wait_until(self, until_s: float) -> None:
        """Let waiting end at `until_s`, which may be sooner than it was to end."""
        self.until_s = until_s
        if self._timer is not None and until_s < self._rings_at_s:
            self._watch(until_s)

    def _watch(self, until_s: float) -> None:
        """One timer for many waits: it is left as it is where it rings too early."""
        if self._timer is not None:
            if self._rings_at_s <= until_s:
                return
            self._timer.cancel()
        self._rings_at_s = until_s
        self._timer = self._loop.call_at(until_s, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._waiter is None or self._waiter.done() or self.until_s is None:
            return
        if self._loop.time() < self.until_s:
            self._watch(self.until_s)
        else:
            self._waiter.set_exception(TimeoutError())

    def _took(self, count: int) -> None:
        if count == len(self.unread):
            self.unread = b""
        else:
            self.unread = _growing(self.unread)
            del self.unread[:count]
        self.taken_bytes += count
        if not self._is_open and len(self.unread) < LOW_WATER_BYTES:
            self._is_open = True
            self._valve(True)  # noqa: FBT003 - see `feed`


def _growing(data: bytes | bytearray) -> bytearray:
    """Of which the beginning can be dropped, and to which more can be added, without a copy."""
    return data if isinstance(data, bytearray) else bytearray(data)
