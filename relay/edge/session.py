"""One SMTP session: the verbs of a transaction, on top of the dialogue.

Layers, from the wire up: `connection.py` (bytes and deadlines), `dialogue.py` (command loop),
`identity.py` (who the client is), and here what it wants to send; `transaction.py` is what it has
said so far. As a rule the quota of a message is all or nothing (DESIGN §4): a refusal at the first
RCPT is repeated at every later one, so that no client takes a part of its recipients for all of
them. Where the relay begins a split transaction, each RCPT has an answer of its own.
"""

# ruff: noqa: N802 - a verb is found by the name of its method

from __future__ import annotations

from collections.abc import Awaitable

from relay.core.errors import MessageTooBig, NoMemory, RelayError, TooManyRecipients
from relay.core.mail.message import Client, Recipient, Submission
from relay.core.tenants.tenancy import IPAddress
from relay.edge import replies
from relay.edge.commands import Mail, parse_mail, parse_rcpt
from relay.edge.data import Content, Overrun
from relay.edge.dialogue import Over, Step
from relay.edge.identity import Identity
from relay.edge.replies import answer, bad_sequence, refusal_of, syntax_error, with_ref
from relay.edge.surroundings import Door, Surroundings
from relay.edge.transaction import Sender, Transaction
from relay.ports.relay import Accepted, SplitTransaction

DATA_TIMEOUTS = 20
"""A message may take this many times the timeout that is re-armed by each of its chunks."""


class Session(Identity):
    """One client's session. It is in a transaction from an accepted MAIL until its outcome."""

    def __init__(self, door: Door, around: Surroundings, address: IPAddress | None = None) -> None:
        super().__init__(door, around, address)
        self._transaction: Transaction | None = None
        self._was_mail_refused = False
        self._sender: Sender | None = None
        self._era: int | None = None  # as `Company` counts, while others may expect its message

    def forget_transaction(self) -> Awaitable[None] | None:
        """See `Dialogue`."""
        self._arrive()
        transaction, self._transaction = self._transaction, None
        self.is_in_transaction = self.is_taking_content = False
        if transaction is None:
            return None
        if transaction.content is not None:
            transaction.content.drop()
        if transaction.split is None:
            return None
        return self.around.background.start(transaction.split.abort())

    def _arrive(self) -> None:
        if self._era is not None:
            self.around.company.arrived(self._era)
            self._era = None

    def smtp_RSET(self, argument: str) -> Step | None:
        """RFC 5321 §4.1.1.5."""
        if argument:
            raise syntax_error("RSET has no arguments")
        return self.say_after(self.forget_transaction(), replies.OK)

    def smtp_MAIL(self, argument: str) -> None:
        """RFC 5321 §4.1.1.2."""
        if not self.helo:
            raise bad_sequence("send HELO or EHLO first")
        if self._transaction:
            raise bad_sequence("a transaction is open already")
        if self.is_dismissed:
            raise Over(replies.SHUTTING_DOWN)
        self._was_mail_refused = True
        # Who may not send hears so before any word about syntax.
        client = self.identified(utf8=False)
        before = self._sender
        if before is not None and before.argument == argument and before.client is client:
            client, mail = before.speaker, before.mail
        else:
            client, mail = self._admitted(client, argument)
        if mail.size_bytes is not None and not self.around.memory.has_room(mail.size_bytes):
            raise self._crowded_out()
        self._transaction = Transaction(client, mail)
        self._era = self.around.company.set_out()
        self.is_in_transaction = True
        self._was_mail_refused = False
        self.say(replies.SENDER_OK)

    def _admitted(self, client: Client, argument: str) -> tuple[Client, Mail]:
        """What MAIL says, checked, and whom it is said for; kept for the next one."""
        mail = parse_mail(argument, extended=self.is_extended)
        speaker = self.identified(utf8=True) if mail.smtputf8 else client
        limit = self.around.limits.message_bytes
        if mail.size_bytes is not None and mail.size_bytes > limit:
            raise MessageTooBig(limit)
        self.around.relay.check_sender(speaker, mail.address)
        self._sender = Sender(argument, client, speaker, mail)
        return speaker, mail

    def smtp_RCPT(self, argument: str) -> Step | None:
        """RFC 5321 §4.1.1.3."""
        transaction = self._opened()
        smtputf8 = transaction.mail.smtputf8
        recipient = parse_rcpt(argument, extended=self.is_extended, smtputf8=smtputf8)
        limit = self.around.limits.recipients
        if len(transaction.recipients) >= limit:
            raise TooManyRecipients(limit)
        if transaction.opening is None:
            self._begin(transaction, recipient)
        if transaction.split is not None:
            return self._offer(transaction, transaction.split, recipient)
        if not transaction.recipients and transaction.refusal is None:
            return self._note_first(transaction, recipient)
        self._note(transaction, recipient)
        return None

    def _begin(self, transaction: Transaction, recipient: Recipient) -> None:
        envelope = transaction.envelope_to(recipient)
        begun = self.around.relay.begin(transaction.client, envelope, self.ref, self.id)
        transaction.split, transaction.opening = begun, envelope

    async def _offer(
        self, transaction: Transaction, split: SplitTransaction, recipient: Recipient
    ) -> None:
        self._arrive()  # whoever is reserved recipient by recipient would wait for itself
        answer = await split.recipient(recipient)
        transaction.recipients.append(recipient)
        self.say(replies.of_recipient(answer))

    def _note(self, transaction: Transaction, recipient: Recipient) -> None:
        if transaction.refusal is None:
            transaction.recipients.append(recipient)
        self.say_or_close(transaction.refusal or replies.RECIPIENT_OK)

    def _note_first(self, transaction: Transaction, recipient: Recipient) -> Step | None:
        """Add `recipient`, if there is any quota at all."""
        envelope = transaction.opening or transaction.envelope_to(recipient)
        asked = self.around.relay.check_quota(transaction.client, envelope, self.ref)
        if asked is not None:
            return self._note_asked(transaction, recipient, asked)
        self._note(transaction, recipient)
        return None

    async def _note_asked(
        self, transaction: Transaction, recipient: Recipient, asked: Awaitable[None]
    ) -> None:
        transaction.refusal = await refusal_of(asked, self.ref)
        if transaction.refusal is not None:
            self._arrive()
        self._note(transaction, recipient)

    def smtp_DATA(self, argument: str) -> Step | None:
        """RFC 5321 §4.1.1.4. Once recipients were named, the transaction ends with it.

        Also where none of them was accepted: the MAIL of a client that sends no RSET then begins
        the next one, as it means to, and its recipients do not end up in this one.
        """
        if argument:
            raise syntax_error("DATA has no arguments")
        transaction = self._opened()
        if transaction.was_refused:
            return self.say_after(self.forget_transaction(), replies.NO_RECIPIENTS)
        if not transaction.recipients:
            raise bad_sequence("send RCPT first")
        self.say(replies.GO_AHEAD)
        transaction.content = Content(self.around.limits.message_bytes, self.around.memory)
        transaction.began_s = self.loop.time()
        self.is_taking_content = True
        return None

    def arrived(self) -> Step | None:
        """See `Dialogue`. Raises Over for what is far beyond the limit."""
        transaction = self._transaction
        assert transaction is not None
        content = transaction.content
        assert content is not None
        if self._out:
            self.write_out()
        try:
            rest = content.feed(self.intake.take()) if self.intake.unread else None
        except Overrun:
            raise Over(answer(MessageTooBig(content.limit_bytes), self.ref)) from None
        now_s, timeout_s = self.loop.time(), self.around.limits.data_timeout_s
        if rest is None:
            over_at_s = transaction.began_s + DATA_TIMEOUTS * timeout_s
            self.intake.wait_until(min(over_at_s, now_s + timeout_s))
            return None
        self.is_taking_content = False
        self.around.observer.received(now_s - transaction.began_s)
        if rest:
            self.intake.give_back(rest)
        return self._take_in(transaction, content)

    async def _take_in(self, transaction: Transaction, content: Content) -> None:
        try:
            split, ref = transaction.split, self.ref
            relay = self.around.relay.relay if split is None else split.finish
            submission = Submission(
                client=self._speaker(transaction),
                envelope=transaction.envelope(),
                content=self._message(content),
                ref=ref,
                session=self.id,
            )
            self._arrive()
            await self.hearing.hand_over(submission, relay, self._answer)
        finally:
            if step := self.forget_transaction():
                await step

    def _message(self, content: Content) -> bytes:
        try:
            return content.message()
        except NoMemory:
            raise self._crowded_out() from None

    def _crowded_out(self) -> NoMemory:
        """Counted: there is no room for a message, or for one as large as MAIL says."""
        self.around.observer.crowded_out()
        return NoMemory()

    def _speaker(self, transaction: Transaction) -> Client:
        """Whom the message is sent for by the directory of now: its tenant may have a new name."""
        try:
            return self.identified(utf8=transaction.mail.smtputf8)
        except RelayError:  # taken away since; what was let in before that may end
            return transaction.client

    def _answer(self, accepted: Accepted) -> None:
        """Say that the message was taken; at once, for its settlement is still under way."""
        self.errors = 0
        self.say(with_ref(accepted.reply, self.ref))
        self.write_out()

    def _opened(self) -> Transaction:
        if self._transaction is None:
            # What was pipelined behind a refused MAIL is no error of its own.
            raise bad_sequence("send MAIL first", counts=not self._was_mail_refused)
        return self._transaction
