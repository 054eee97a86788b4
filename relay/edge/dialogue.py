"""The dialogue around transactions: greeting, command loop, and how a session ends.

Every verb ends by saying one reply or by raising, or gives back a step that does so and has to
wait for something; `_refuse` is the one place where what was raised is answered. Commands are
seen to where their bytes come in; only for a step, and in the end, the session's task is woken.
The verbs are `smtp_*` methods: those that make a client known are in `identity.py`, those of a
transaction in `session.py`.
"""

# ruff: noqa: N802 - a verb is found by the name of its method

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Coroutine
from typing import Any, Final, NoReturn

from relay.core.reply import Reply
from relay.core.tenants.tenancy import IPAddress
from relay.edge import replies
from relay.edge.commands import MAX_AUTH_BYTES, line_too_long, parse_command
from relay.edge.connection import Connection
from relay.edge.deadline import TooSlow
from relay.edge.hearing import Hearing
from relay.edge.intake import ClientGone, Interrupted, LineTooLong
from relay.edge.refs import new_ref
from relay.edge.replies import Misspoken, answer, syntax_error
from relay.edge.surroundings import Door, Surroundings

log = logging.getLogger(__name__)

HEARD_GRACE_S: Final = 2.0
"""At shutdown: how long a client may take to show that it heard an acceptance."""
_FLUSH_BYTES: Final = 4096
"""With more to say than this the client is written to before it gets more answers."""
_HTTP_VERBS: Final = frozenset(
    {"GET", "POST", "PUT", "HEAD", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE", "HOST:"}
)


class Over(Exception):
    """The session ends with `reply`. `is_polite`: the client asked for it."""

    def __init__(self, reply: Reply | None, *, is_polite: bool = False) -> None:
        super().__init__(str(reply))
        self.reply = reply
        self.is_polite = is_polite


Step = Coroutine[Any, Any, None]
"""What is left to be done of a command."""


class Dialogue(Connection):
    """A session's command loop."""

    def __init__(self, door: Door, around: Surroundings, address: IPAddress | None = None) -> None:
        super().__init__(door, around, address)
        self.hearing = Hearing(around.relay, around.background, self.intake, self.gone)
        self.is_dismissed = False
        self.is_in_transaction = False  # an envelope is open, or its content on its way
        self.is_taking_content = False
        self.errors = 0  # since the last message that was taken
        self._ref: str | None = None
        self._step: Step | None = None

    def forget_transaction(self) -> Awaitable[None] | None:
        """Drop the envelope, if there is one; the end of what is done about what was taken for it.

        That is done even where nobody waits for it: this session may be cut off before.
        """
        raise NotImplementedError

    def arrived(self) -> Step | None:
        """Take in what is here of the content of a message: the next step, at its end."""
        raise NotImplementedError

    @property
    def ref(self) -> str:
        """The reference id of this transaction, or of what is being answered outside of one."""
        if self._ref is None:
            self._ref = new_ref(self.around.clock.now())
        return self._ref

    def dismiss(self) -> None:
        """End as soon as there is no transaction under way (421 4.3.2)."""
        self.is_dismissed = True
        self.intake.interrupt()

    # From the first byte to the last.

    async def hold(self) -> None:
        """See `Connection`."""
        self.around.roster.enter(self.id, self)
        over = Over(None)
        try:
            over = await self._serve()
        except Exception:
            log.exception("session %s ended unexpectedly", self.id)
        finally:
            try:
                await self._leave(over)
            finally:
                self.around.roster.leave(self.id)
                self.around.observer.connection_closed(self.door.name)

    async def _serve(self) -> Over:
        """Run the session; how it ended."""
        turnstile = self.around.turnstile
        refusal = turnstile.enter(self.address, self.around.limits)
        if refusal:
            # No handshake for those that are too many: it is what costs most.
            return Over(None if self.is_implicit_tls else refusal)
        try:
            await self._converse()
        except Over as over:
            return over
        except TooSlow:
            return Over(replies.IDLE_TOO_LONG)
        except Interrupted:
            return Over(replies.SHUTTING_DOWN)
        except ClientGone as gone:
            return Over(None, is_polite=gone.is_clean)
        finally:
            turnstile.leave(self.address)

    async def _converse(self) -> NoReturn:
        if self.is_implicit_tls:
            await self.upgrade()
        self.say(Reply(220, None, f"{self.hostname} ESMTP warmup-relay"))
        while True:
            await self._next_step()
            step, self._step = self._step, None
            if step is None:
                await asyncio.sleep(0)  # whoever pipelines thousands lets others have a turn
                continue
            try:
                await step
            except (Over, TooSlow, Interrupted, ClientGone):
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer
                self._refuse(error)

    async def _leave(self, over: Over) -> None:
        if self._step is not None:
            self._step.close()
        if step := self.forget_transaction():
            await step
        if over.reply:
            self.say(over.reply)
        if self.hearing.owed:
            await self.hearing.close(is_heard=over.is_polite and await self.closes_cleanly())
        await self.hang_up(linger=not over.is_polite)
        await self.hearing.told()

    # Commands.

    async def _next_step(self) -> None:
        """Until there is a step to be taken, or much to be written."""
        if not self.is_flushed():
            await self.flush()
        self.intake.until_s = self.loop.time() + self.around.limits.command_timeout_s
        try:
            await self.intake.attended(self._attend, lambda: not self.is_in_transaction)
        except TimeoutError:
            raise TooSlow from None
        except Interrupted:
            if not self.hearing.owed:
                raise
            await self._last_command()

    async def _last_command(self) -> None:
        try:
            line = await self.read_line(MAX_AUTH_BYTES, timeout_s=HEARD_GRACE_S)
        except (LineTooLong, TooSlow):
            raise Interrupted from None
        self._obey(line)

    def _attend(self) -> bool:
        """Obey the command lines that are here, or take content in; see `Attend`."""
        intake = self.intake
        while self._step is None and len(self._out) <= _FLUSH_BYTES:
            if self.is_taking_content:
                self._step = self.arrived()
                if self._step is None:
                    return self.is_writable
                break
            if not intake.unread:
                return self.answered()
            try:
                line = intake.take_line(MAX_AUTH_BYTES)
            except LineTooLong:
                self._obey(None)
                continue
            if line is not None:
                self._obey(line)
            elif len(intake.unread) > MAX_AUTH_BYTES:
                self._step = self._skip_line()
            else:
                return self.answered()
        return False

    async def _skip_line(self) -> None:
        try:
            await self.read_line(MAX_AUTH_BYTES)
        except LineTooLong:
            self._obey(None)

    def _obey(self, line: bytes | None) -> None:
        """Begin what `line` asks for; None stands for one that was too long."""
        if self.hearing.owed:
            self.hearing.line_came()
        if not self.is_in_transaction:
            self._ref = None
        try:
            if line is None:
                raise line_too_long()  # noqa: TRY301 - answered like any other error
            self._step = self._begun(line)
        except (Over, TooSlow, Interrupted, ClientGone):
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer
            self._refuse(error)

    def _begun(self, line: bytes) -> Step | None:
        verb, argument = parse_command(line)
        method = getattr(self, "smtp_" + verb, None)
        if method is None:
            if verb in _HTTP_VERBS:
                raise Over(replies.NOT_HTTP)
            raise Misspoken(Reply(500, "5.1", "command not recognized"))
        step: Step | None = method(argument)
        return step

    def _refuse(self, error: Exception) -> None:
        if isinstance(error, Misspoken) and error.counts:
            self.errors += 1
            if self.errors > self.around.limits.errors:
                raise Over(replies.TOO_MANY_ERRORS)
        self.say_or_close(answer(error, self.ref))

    def say_or_close(self, reply: Reply) -> None:
        """Say `reply`; whoever says 421 closes (RFC 5321 §3.8)."""
        if reply.code == 421:
            raise Over(reply)
        self.say(reply)

    def say_after(self, step: Awaitable[None] | None, reply: Reply) -> Step | None:
        """Say `reply` once `step` is taken."""
        if step is None:
            self.say(reply)
            return None
        return self._say_after(step, reply)

    async def _say_after(self, step: Awaitable[None], reply: Reply) -> None:
        await step
        self.say(reply)

    # Verbs that change nothing.

    def smtp_NOOP(self, _argument: str) -> None:
        """RFC 5321 §4.1.1.9."""
        self.say(replies.OK)

    def smtp_HELP(self, _argument: str) -> None:
        """RFC 5321 §4.1.1.8."""
        self.say(replies.HELP)

    def smtp_VRFY(self, argument: str) -> None:
        """RFC 5321 §3.5.3: nothing is verified, nothing is given away."""
        if not argument:
            raise syntax_error("an address is expected")
        self.say(replies.CANNOT_VERIFY)

    def smtp_EXPN(self, _argument: str) -> None:
        """There are no lists here."""
        raise Misspoken(Reply(502, "5.1", "EXPN not implemented"))

    def smtp_QUIT(self, argument: str) -> None:
        """RFC 5321 §4.1.1.10."""
        if argument:
            raise syntax_error("QUIT has no arguments")
        raise Over(replies.GOODBYE, is_polite=True)
