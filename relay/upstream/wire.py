"""One transport: bytes written with flow control, replies read with a deadline.

Owns the asyncio side of a connection and nothing of SMTP's meaning. Reading never waits for
writing, so a thousand pipelined commands cannot block on full socket buffers.
"""

from __future__ import annotations

import asyncio
from collections import deque
from math import inf
from typing import Final

from relay.core.reply import Reply
from relay.upstream.replies import BadReply, ReplyParser

WRITE_BUFFER_BYTES: Final = 64 * 1024
MAX_UNREAD_BYTES: Final = 4 * 1024 * 1024
"""Of replies that have come in and that nobody has read yet."""
QUIT_S: Final = 2.0
"""How long a connection that was told QUIT may take to close before it is cut."""


class Broken(Exception):
    """The connection is of no more use, and nothing was handed over by it.

    The text is for the log. `answer` is the 421 with which the upstream took its leave, where
    it did so.
    """

    def __init__(self, why: str, answer: Reply | None = None) -> None:
        super().__init__(why)
        self.answer = answer


class Wire(asyncio.Protocol):
    """Takes `transport` over from whoever opened it. One task at a time may use it.

    While it `is_paused`, more has been written than the peer takes: `drain` waits for it.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport = transport
        self._parser = ReplyParser()
        self._replies: deque[Reply] = deque()
        self._unread_bytes = 0
        self._fault: str | None = None
        self.is_paused = False
        self._waiter: asyncio.Future[None] | None = None
        self._until_s = inf
        self._rings_at_s = inf
        self._timer: asyncio.TimerHandle | None = None
        self._closed = self._loop.create_future()
        transport.set_protocol(self)
        transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)

    @property
    def is_quiet(self) -> bool:
        """True while the connection stands and nothing unasked for has come in."""
        is_silent = not self._replies and self._parser.is_between_replies
        return is_silent and self._fault is None and not self._transport.is_closing()

    def require_open(self) -> None:
        """Raises Broken if the connection is known to be gone."""
        if self._fault is not None or self._transport.is_closing():
            raise Broken(self._fault or "connection closed")

    def send(self, commands: bytes) -> None:
        """Write commands, to be followed by one `reply` for each. Raises Broken.

        A reply that is there already belongs to none of them: pairing it would shift every
        later answer, up to that to the final dot.
        """
        if self._replies:
            early = self._replies.popleft()
            answer = early if early.code == 421 else None
            raise Broken(f"answered {early.code} before it was asked", answer)
        if not self._parser.is_between_replies:
            raise Broken("began to answer before it was asked")
        self.write(commands)

    def write(self, data: bytes) -> None:
        """Write content. Raises Broken; whether any of it went out is then unknown."""
        if self._fault is not None or self._transport.is_closing():
            self.require_open()
        try:
            self._transport.write(data)
        except (OSError, RuntimeError) as error:  # uvloop's way to say that it is closed
            raise Broken(f"cannot write: {error}") from error

    async def drain(self, timeout_s: float) -> None:
        """Wait until more may be written, a reply has come, or the connection is lost.

        Raises Broken when nothing at all could be written for `timeout_s`.
        """
        while self.is_paused and not self._replies and self._fault is None:
            waiting_bytes = self._transport.get_write_buffer_size()
            try:
                await self._event(self._loop.time() + timeout_s)
            except TimeoutError:
                if self._transport.get_write_buffer_size() >= waiting_bytes:
                    raise Broken(f"accepted no data for {timeout_s:g} s") from None

    async def breathe(self) -> None:
        """Let what has already arrived be read: two turns of the loop, one of them polls."""
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    def early_reply(self) -> Reply | None:
        """A reply that is there already, or None."""
        return self._replies.popleft() if self._replies else None

    async def reply(self, timeout_s: float) -> Reply:
        """The next reply. Raises Broken: none within `timeout_s`, no SMTP, connection lost."""
        until_s = self._loop.time() + timeout_s
        while not self._replies:
            if self._fault is not None:
                raise Broken(self._fault)
            try:
                await self._event(until_s)
            except TimeoutError:
                raise Broken(f"no reply within {timeout_s:g} s") from None
        return self._replies.popleft()

    def quit(self) -> None:
        """Say QUIT and close without waiting for the answer; cut after QUIT_S."""
        if not self._transport.is_closing() and self._fault is None:
            self._transport.write(b"QUIT\r\n")
        self._transport.close()
        cut = self._loop.call_later(QUIT_S, self._transport.abort)
        self._closed.add_done_callback(lambda _: cut.cancel())

    def abort(self) -> None:
        """Cut the connection now; what was not sent yet never will be."""
        self._transport.abort()

    async def closed(self) -> None:
        """Wait for the connection to be gone, no longer than QUIT_S and a little."""
        await asyncio.wait([self._closed], timeout=QUIT_S + 1)

    def _event(self, until_s: float) -> asyncio.Future[None]:
        """What is done when something happens; TimeoutError at `until_s` (by the loop's clock).

        A timer stays when it was not needed: the next wait goes on with it, so that hardly any
        has to set one.
        """
        self._waiter, self._until_s = self._loop.create_future(), until_s
        if until_s < self._rings_at_s:
            self._ring_at(until_s)
        return self._waiter

    def _ring_at(self, at_s: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._rings_at_s, self._timer = at_s, self._loop.call_at(at_s, self._ring)

    def _ring(self) -> None:
        self._rings_at_s, self._timer = inf, None
        if self._waiter is None or self._waiter.done():
            return
        if self._loop.time() < self._until_s:
            self._ring_at(self._until_s)
        else:
            self._waiter.set_exception(TimeoutError())

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)

    def _fail(self, why: str) -> None:
        self._fault = self._fault or why
        self._wake()

    def data_received(self, data: bytes) -> None:
        """Of asyncio.Protocol."""
        if self._fault is not None:
            return
        try:
            self._parser.feed(data, self._replies)
        except BadReply as bad:
            self._fail(str(bad))
        self._unread_bytes = self._unread_bytes + len(data) if self._replies else 0
        if self._unread_bytes > MAX_UNREAD_BYTES:
            self._fail(f"more than {MAX_UNREAD_BYTES} bytes of replies at once")
        self._wake()

    def eof_received(self) -> None:
        """Of asyncio.Protocol."""
        self._fail("connection closed by the upstream")

    def connection_lost(self, exc: Exception | None) -> None:
        """Of asyncio.Protocol."""
        self._fail(f"connection lost: {exc}" if exc else "connection closed")
        if self._timer is not None:
            self._timer.cancel()
        if not self._closed.done():
            self._closed.set_result(None)

    def pause_writing(self) -> None:
        """Of asyncio.Protocol."""
        self.is_paused = True

    def resume_writing(self) -> None:
        """Of asyncio.Protocol."""
        self.is_paused = False
        self._wake()
