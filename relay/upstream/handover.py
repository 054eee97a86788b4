"""One transaction that stays open between its steps: `ports.upstream.Handover` over SMTP.

Owns its connection from MAIL to the end, and sees to it that the end comes: a client that
dawdles may not keep a connection from everybody else. What is said over it is `connection.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from relay.core.config import SmtpUpstream
from relay.core.mail.message import Outgoing, Recipient
from relay.core.reply import Reply
from relay.ports.upstream import Outcome, Refusal, SaidNo, Unreachable
from relay.upstream.connection import Connection
from relay.upstream.wire import Broken


class SmtpHandover:
    """MAIL was accepted over `connection`; `ended` takes the connection back, once.

    It ends by itself when nothing happens for `limits.data_timeout_s`, and `limits.age_s`
    after it began; by then most upstreams have left too (RFC 5321 §4.5.3.2.7).
    """

    def __init__(
        self,
        name: str,
        connection: Connection,
        limits: SmtpUpstream,
        ended: Callable[[Connection], None],
    ) -> None:
        self._name = name
        self._connection = connection
        self._limits = limits
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._until_s = self._loop.time() + limits.age_s
        self._why_over: str | None = None
        self._timer = self._set_timer()

    async def recipient(self, recipient: Recipient) -> Reply | Refusal:
        """See `ports.upstream.Handover`."""
        if self._why_over is not None:
            return Unreachable(self._why_over)
        self._timer.cancel()
        try:
            answer = await self._connection.recipient(recipient)
        except BaseException as error:
            self._end(str(error) or "cancelled")
            if not isinstance(error, Broken):
                raise
            return self._refusal(error, recipient.address)
        self._timer = self._set_timer()
        return answer

    async def send(self, message: Outgoing) -> Outcome:
        """See `ports.upstream.Handover`."""
        if self._why_over is not None:
            return Unreachable(self._why_over)
        self._timer.cancel()
        try:
            return await self._connection.complete(message)
        except Broken as broken:
            return self._refusal(broken)
        finally:  # cancelled in the middle: not reusable, so it is cut
            self._end("the transaction is over")

    async def abort(self) -> None:
        """See `ports.upstream.Handover`."""
        if self._why_over is not None:
            return
        self._timer.cancel()
        try:
            await self._connection.retreat()
        finally:
            self._end("the transaction was given up")

    def _set_timer(self) -> asyncio.TimerHandle:
        left_s = max(0.0, self._until_s - self._loop.time())
        after_s = min(self._limits.data_timeout_s, left_s)
        return self._loop.call_later(after_s, self._end, "the client took too long")

    def _end(self, why: str) -> None:
        if self._why_over is None:
            self._why_over = f"{self._name}: {why}"
            self._ended(self._connection)

    def _refusal(self, broken: Broken, recipient: str | None = None) -> SaidNo | Unreachable:
        if broken.answer:
            return SaidNo(broken.answer, recipient)
        return Unreachable(f"{self._name}: {broken}")
