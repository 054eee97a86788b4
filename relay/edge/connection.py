"""One client connection: bytes, replies, deadlines, TLS; what a dialogue stands on.

One protocol object and one task for each connection. The task is never cancelled by what the
client does: it finds out from `intake`.
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from ipaddress import IPv4Address
from typing import cast

from relay.core.config import ListenerTls
from relay.core.reply import Reply
from relay.core.tenants.tenancy import IPAddress
from relay.edge.deadline import TooSlow, within
from relay.edge.intake import ClientGone, Intake
from relay.edge.peers import has_got_everything, peer_address
from relay.edge.replies import KNOWN, SHUTTING_DOWN, wire
from relay.edge.surroundings import Door, Surroundings
from relay.edge.tls import HANDSHAKE_TIMEOUT_S, SHUTDOWN_TIMEOUT_S, replay

CLOSE_TIMEOUT_S = 5.0
"""How long what was written may take to reach a client that is being left."""
LINGER_S = 2.0
"""How long it may take to close first."""
LAST_WORDS_S = 1.0
"""As `CLOSE_TIMEOUT_S`, for one that is being cut off."""


class Connection(asyncio.Protocol):
    """The transport side of a session; `address` is the client's, where a proxy has told it."""

    def __init__(self, door: Door, around: Surroundings, address: IPAddress | None) -> None:
        self.loop = asyncio.get_running_loop()
        self.hostname = around.hostname
        self.door = door
        self.around = around
        self._told_address = address
        self.address: IPAddress = address or IPv4Address(0)
        self.id = around.roster.next_id()
        self.intake = Intake(self._turn_valve)
        self.gone: asyncio.Future[None] = self.loop.create_future()
        self.has_tls = False
        self._lost = asyncio.Event()
        self._is_lost = False
        self._writable = asyncio.Event()
        self.is_writable = True
        self._out = b""
        self._early = bytearray()  # uvloop reads once although `connection_made` paused reading
        self._may_read = not self.is_implicit_tls
        if self._may_read:
            self.data_received = self.intake.feed  # type: ignore[method-assign]  # one step less
        self._is_leaving = False
        self._had_everything = False
        self._wire: asyncio.Transport

    @property
    def has_client(self) -> bool:
        """False once the client has closed its side or the connection is lost."""
        return not self.gone.done()

    @property
    def is_implicit_tls(self) -> bool:
        """Whether TLS comes before the greeting (RFC 8314)."""
        return self.door.listener.tls is ListenerTls.IMPLICIT

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the session."""
        self._wire = cast("asyncio.Transport", transport)  # uvloop's is one in all but name
        self.address = self._told_address or peer_address(transport)
        self.around.observer.connection_opened(self.door.name)
        if self.is_implicit_tls:
            self._wire.pause_reading()  # the handshake is not ours to read
        else:
            self._wire.resume_reading()
        self.around.background.start(self.hold())

    async def hold(self) -> None:
        """The whole session, from the first byte to the last."""
        raise NotImplementedError

    def data_received(self, data: bytes) -> None:
        """Bytes from the client."""
        if not self._may_read:
            self._early += data
            self._wire.pause_reading()
            return
        self.intake.feed(data)

    def eof_received(self) -> bool:
        """The client closed its side. It may have pipelined all and be waiting for replies."""
        self._had_everything = not self._wire.is_closing() and has_got_everything(self._wire)
        self.intake.end()
        self._note_gone()
        return not self.has_tls  # TLS cannot be half closed

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is no more."""
        self.intake.lose(is_clean=error is None)
        self._note_gone()
        self._note_lost()
        self.resume_writing()

    def pause_writing(self) -> None:
        """The client does not read its replies."""
        self.is_writable = False
        self._writable.clear()

    def resume_writing(self) -> None:
        """It reads again."""
        self.is_writable = True
        self._writable.set()

    def _note_lost(self) -> None:
        self._is_lost = True
        self._lost.set()

    def _note_gone(self) -> None:
        if not self.gone.done():
            self.gone.set_result(None)

    def _turn_valve(self, is_open: bool) -> None:  # noqa: FBT001 - the intake's word for it
        if is_open:
            self._wire.resume_reading()
        else:
            self._wire.pause_reading()

    # What the dialogue calls.

    def say(self, reply: Reply) -> None:
        """Queue `reply`; replies to pipelined commands travel together (RFC 2920 §3.2)."""
        self._out += KNOWN.get(id(reply)) or wire(reply)

    def say_raw(self, line: bytes) -> None:
        """Queue a line that is no reply of the usual form."""
        self._out += line + b"\r\n"

    async def flush(self) -> None:
        """Write what is queued. Raises TooSlow where the client does not read, or ClientGone."""
        if not self.is_flushed():
            async with within(self.around.limits.command_timeout_s):
                await self._writable.wait()

    def is_flushed(self) -> bool:
        """Write what is queued; False where the client does not read. Raises ClientGone."""
        if self._is_lost:
            raise ClientGone(is_clean=False)
        if self._out:
            self.write_out()
        return self.is_writable

    def write_out(self) -> None:
        """Hand what is queued to the transport."""
        data, self._out = self._out, b""
        try:  # noqa: SIM105 - four times for a message; `suppress` would be three calls
            self._wire.write(data)
        except RuntimeError:  # uvloop's way to say that it is closed
            pass

    async def read_line(self, limit_bytes: int, timeout_s: float | None = None) -> bytes:
        """The client's next line with its end. Raises TooSlow, and what `Intake.line` raises."""
        await self.flush()
        until_s = self.loop.time() + (timeout_s or self.around.limits.command_timeout_s)
        try:
            return await self.intake.line(limit_bytes, until_s=until_s)
        except TimeoutError:
            raise TooSlow from None

    def answered(self) -> bool:
        """All that came in is answered: write it. False where the client does not read."""
        if self._out:
            self.write_out()
            self.intake.until_s = self.loop.time() + self.around.limits.command_timeout_s
        return self.is_writable

    async def upgrade(self) -> None:
        """Speak TLS from here on. Raises ClientGone where the handshake fails.

        What was pipelined in clear behind STARTTLS is thrown away (RFC 3207 §5,
        CVE-2024-34083); the caller has awaited nothing since it wrote its last reply.
        """
        if self._is_lost or self.door.certificate is None:
            raise ClientGone(is_clean=False)
        self._wire.pause_reading()
        self.intake.discard()
        self.has_tls = self._may_read = True
        self.data_received = self.intake.feed  # type: ignore[method-assign]  # as in `__init__`
        try:
            async with asyncio.timeout(HANDSHAKE_TIMEOUT_S + 1):
                found = await self._handshake(self.door.certificate.context)
        except OSError as error:  # ssl.SSLError, ConnectionError and TimeoutError are
            self._note_lost()  # some ways of failing end without `connection_lost`
            raise ClientGone(is_clean=False) from error
        if found is None:  # closed in the middle of it, by nobody's fault
            self._note_lost()
            raise ClientGone(is_clean=False)
        self._wire = found

    async def _handshake(self, context: ssl.SSLContext) -> asyncio.Transport | None:
        handshake = self.loop.create_task(
            self.loop.start_tls(
                self._wire,
                self,
                context,
                server_side=True,
                ssl_handshake_timeout=HANDSHAKE_TIMEOUT_S,
                ssl_shutdown_timeout=SHUTDOWN_TIMEOUT_S,
            )
        )
        if self._early:
            await asyncio.sleep(0)  # now the TLS protocol has the transport
            self.loop.call_soon(replay, self._wire, bytes(self._early))
        return await handshake

    async def hang_up(self, *, linger: bool) -> None:
        """Close, within a bounded time; what is queued is written first.

        `linger` lets the client close first, so that what it is still sending does not make
        its system throw away our last reply.
        """
        if self._is_leaving:
            return  # cut off
        with suppress(TooSlow, ClientGone):
            if linger or not self.is_flushed():
                async with within(LINGER_S if linger else CLOSE_TIMEOUT_S):
                    await self.flush()
                    self._is_leaving = True
                    if linger:
                        await self._wait_for_close()
        self._is_leaving = True
        if self.is_writable and await self._closes():
            return
        self._wire.abort()
        self.intake.lose(is_clean=True)  # some ways to fail end without `connection_lost`

    async def _closes(self) -> bool:
        """Close; whether nothing is left to be written, so that nobody need look after it."""
        self._wire.close()
        if not self.has_tls and not self._wire.get_write_buffer_size():
            return True
        with suppress(TooSlow):
            async with within(CLOSE_TIMEOUT_S):
                await self._lost.wait()
        return False

    async def closes_cleanly(self) -> bool:
        """Whether the client closes its side soon, and had then got all that was written."""
        with suppress(TooSlow, ClientGone):
            async with within(CLOSE_TIMEOUT_S):
                await self.flush()
                await self.intake.ended()
            return self.intake.was_closed and self._had_everything
        return False

    def cut_off(self) -> None:
        """End at once, whatever is under way; what is queued and a last 421 may still arrive."""
        self.intake.lose(is_clean=False)
        self._note_gone()
        if not self._is_leaving:
            self._is_leaving = True
            self.say(SHUTTING_DOWN)
            self.write_out()
        self._wire.close()
        self._note_lost()
        self.loop.call_later(LAST_WORDS_S, self._wire.abort)

    async def _wait_for_close(self) -> None:
        with suppress(RuntimeError, OSError):  # closed, or reset and not noticed yet
            if self._wire.can_write_eof():
                self._wire.write_eof()
        with suppress(ClientGone):
            await self.intake.ended()
