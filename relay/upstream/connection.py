"""One message over one connection: the only place where certainty can end.

Either at once (`deliver`), or step by step while its recipients come in (`begin`, `recipient`,
then `complete` or `retreat`).

Up to the last write of the content everything that goes wrong is Broken: proven not sent.
From that write on only a valid reply decides; everything else is Unknown.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from operator import attrgetter
from typing import Final

from relay.core.config import SmtpHost, SmtpUpstream
from relay.core.mail.message import Envelope, Outgoing, Recipient
from relay.core.reply import Reply
from relay.ports.upstream import Clearance, Lacks, Outcome, SaidNo, Taken, Unknown
from relay.upstream.capabilities import Capabilities
from relay.upstream.commands import (
    DATA,
    RSET,
    Command,
    obstacle_to,
    offering,
    opening,
    transaction,
)
from relay.upstream.stuffing import content
from relay.upstream.wire import Broken, Wire

_LINE_OF: Final = attrgetter("line")

RETREAT_S: Final = 5.0
"""How long a refused message may go on for to save its connection."""


class Connection:
    """A greeted connection to `host`. One transaction at a time.

    `is_reusable` is True only between transactions that ended as they should. `answered` is
    told of every reply to MAIL, RCPT, DATA and the final dot.
    """

    def __init__(
        self,
        host: SmtpHost,
        wire: Wire,
        capabilities: Capabilities,
        limits: SmtpUpstream,
        answered: Callable[[Reply], None],
    ) -> None:
        self.host = host
        self.capabilities = capabilities
        self.is_reusable = True
        self.message_count = 0
        self.opened_at_s = asyncio.get_running_loop().time()
        self._wire = wire
        self._limits = limits
        self._answered = answered
        self.quit = wire.quit
        self.abort = wire.abort
        self.closed = wire.closed

    @property
    def is_quiet(self) -> bool:
        """False once the upstream has closed it, or has spoken unasked (a 421, mostly)."""
        return self._wire.is_quiet

    async def deliver(self, message: Outgoing, cleared: Clearance | None = None) -> Outcome:
        """Hand `message` over. Raises Broken: nothing was handed over, another may be tried.

        Broken too when MAIL was answered 421. Never returns Unreachable. What `cleared` raises
        is raised: nothing was handed over, and only cutting the connection ends a 354.
        """
        self.is_reusable = False
        self.message_count += 1
        groups = transaction(message, self.capabilities)
        if isinstance(groups, Lacks | SaidNo):
            self.is_reusable = True
            return groups
        for group in groups:
            refusal = await self._offer(group)
            if refusal:
                return refusal
        if cleared:
            await cleared()
        return await self._hand_over(message)

    async def begin(self, envelope: Envelope) -> SaidNo | Lacks | None:
        """Open a transaction: None once MAIL was accepted. Raises Broken, as `deliver` does."""
        self.is_reusable = False
        self.message_count += 1
        mail = opening(envelope, self.capabilities)
        if isinstance(mail, Command):
            return await self._offer((mail,))
        self.is_reusable = True
        return mail

    async def recipient(self, recipient: Recipient) -> Reply | SaidNo | Lacks:
        """Offer one more recipient: the 2xx to it, or why not. Raises Broken, also for a 421."""
        rcpt = offering(recipient, self.capabilities)
        if not isinstance(rcpt, Command):
            return rcpt
        self._wire.send(rcpt.line)
        answer = await self._answer(self._limits.command_timeout_s)
        if answer.code // 100 == rcpt.hoped:
            return answer
        if answer.code == 421:
            raise Broken(f"answered RCPT with {answer}", answer)
        return _refusal(rcpt, answer)

    async def complete(self, message: Outgoing) -> Outcome:
        """DATA and the message, for the recipients accepted so far. Raises Broken, as `deliver`."""
        obstacle = obstacle_to(message, self.capabilities)
        if obstacle:
            await self.retreat()
            return obstacle
        return await self._offer((DATA,)) or await self._hand_over(message)

    async def retreat(self, unanswered: tuple[Command, ...] = ()) -> None:
        """Back to where the next transaction can begin, if there is a way, within RETREAT_S.

        There is none after a 354: only the final dot, which is never sent, would end that.
        """
        with suppress(Broken, TimeoutError):
            async with asyncio.timeout(RETREAT_S):
                for _ in unanswered:
                    answer = await self._answer(RETREAT_S)
                    if answer.code == 421 or answer.code // 100 == 3:
                        return
                self._wire.send(RSET.line)
                answer = await self._wire.reply(RETREAT_S)
                self.is_reusable = answer.code // 100 == RSET.hoped and self._wire.is_quiet

    async def _offer(self, group: tuple[Command, ...]) -> SaidNo | None:
        """Send the commands of `group` in one write; the first refusal, or None."""
        self._wire.send(b"".join(map(_LINE_OF, group)))
        for number, command in enumerate(group):
            answer = await self._wire.reply(self._limits.command_timeout_s)
            self._answered(answer)
            if answer.code // 100 == command.hoped:
                continue
            refusal = _refusal(command, answer)
            if answer.code != 421:
                await self.retreat(group[number + 1 :])
            return refusal
        return None

    async def _hand_over(self, message: Outgoing) -> Outcome:
        pieces = content(message.head, message.body)
        piece = next(pieces)
        for following in pieces:
            refusal = self._early()
            if refusal:
                return refusal
            self._wire.write(piece)
            await self._wire.breathe()
            await self._wire.drain(self._limits.data_timeout_s)
            piece = following
        return self._early() or await self._finish(piece)

    def _early(self) -> SaidNo | None:
        """What the upstream says while it should listen: a refusal, or nonsense (Broken)."""
        answer = self._wire.early_reply()
        if answer is None:
            return None
        self._answered(answer)
        if answer.code // 100 in {4, 5}:
            return SaidNo(answer)
        raise Broken(f"answered {answer.code} before the message was complete")

    async def _finish(self, last_piece: bytes) -> Outcome:
        """The write that holds the final dot, and the answer to it."""
        self._wire.require_open()
        try:
            self._wire.write(last_piece)
            if self._wire.is_paused:
                await self._wire.drain(self._limits.data_timeout_s)
            answer = await self._wire.reply(self._limits.final_timeout_s)
        except Broken as broken:
            return Unknown(f"after the final dot: {broken}")
        self._answered(answer)
        self.is_reusable = answer.code != 421 and self._wire.is_quiet
        if answer.is_success:
            return Taken(answer)
        if answer.code // 100 in {4, 5}:
            return SaidNo(answer)
        self.is_reusable = False
        return Unknown(f"answered the final dot with {answer.code}")

    async def _answer(self, timeout_s: float) -> Reply:
        answer = await self._wire.reply(timeout_s)
        self._answered(answer)
        return answer


def _refusal(command: Command, answer: Reply) -> SaidNo:
    """`answer` as a refusal. Raises Broken where it is none, or means the whole connection."""
    if answer.code // 100 not in {4, 5}:
        raise Broken(f"answered {command.verb} with {answer.code}")
    if command.verb == "MAIL" and answer.code == 421:
        raise Broken(f"answered MAIL with {answer}", answer)
    return SaidNo(answer, command.recipient)
