"""The port of the pipeline: what the edge asks for a message, and what it hears of it.

The promises are about the same four things as those of `ports/__init__.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from relay.core.mail.message import Client, Envelope, Recipient, Submission
from relay.core.quota.reservation import Reservation
from relay.core.reply import Reply
from relay.core.values import value


@value(frozen=True, slots=True)
class Accepted:
    """A message that the upstream took. `receipt` is None where nothing needs to be heard.

    A split message has a receipt for each recipient: all but the first are `more`. `is_retry`:
    it was taken at an earlier attempt and not sent again.
    """

    reply: Reply
    receipt: Reservation | None
    more: tuple[Reservation, ...] = ()
    is_retry: bool = False

    @property
    def receipts(self) -> tuple[Reservation, ...]:
        """All of them."""
        return self.more if self.receipt is None else (self.receipt, *self.more)


Hears = Callable[[Accepted], None]
"""Must return at once and never raise."""


class SplitTransaction(Protocol):
    """One client transaction whose recipients are answered one by one (`recipients: split`).

    One call at a time. Must be followed by `finish` or `abort`; until then the quota of every
    accepted recipient is charged, and a transaction with the upstream is open.
    """

    async def recipient(self, recipient: Recipient) -> Reply:
        """Reserve one send and offer `recipient` upstream: its 2xx.

        Raises RelayError, and then nothing is charged for `recipient` (StoreTrouble: may be).
        Those accepted before stay so.
        """

    async def finish(self, submission: Submission, taken: Hears | None = None) -> Accepted:
        """As `Relay.relay`, for the recipients that were accepted; all of them, or none.

        Like it, it must be let run to its end. Whatever comes of it, the transaction is over.
        """

    async def abort(self) -> None:
        """Give every reservation back and the upstream transaction up. Bounded in time.

        Does nothing once `finish` was called. Idempotent; never raises.
        """


class Relay(Protocol):
    """What the edge asks of the pipeline. Everything not taken is raised as a RelayError."""

    def check_sender(self, client: Client, mail_from: str) -> None:
        """MAIL: whether `client` may use this reverse-path. Raises NotPermitted."""

    def check_quota(
        self, client: Client, envelope: Envelope, ref: str
    ) -> Coroutine[Any, Any, None] | None:
        """First RCPT of `ref`: awaited, raises WarmupLimit where the route is at its cap or paused.

        None where that need not be asked. Says nothing where the sending domain is not certain
        yet, or where the message might be a retry of one already taken. Never raises
        StoreTrouble: DATA will.
        """

    def begin(
        self, client: Client, envelope: Envelope, ref: str, session: str
    ) -> SplitTransaction | None:
        """First RCPT of `ref`: a transaction to take the recipients one by one.

        None where they are taken as a whole: `check_quota`, then `relay`. The recipients of
        `envelope` are not looked at. Nothing is charged or opened yet.
        """

    async def relay(self, submission: Submission, taken: Hears | None = None) -> Accepted:
        """The whole sentence: classify, reserve, sign, forward, settle.

        `taken` hears of what will be returned when the upstream has it, just before that is
        settled, unless the store is busy; of a retry it does not. Must be let run to its end once
        called, even when the client is gone: cancelling it charges what is in flight.
        """

    async def left(self, submission: Submission) -> None:
        """The client's connection was lost while `relay` was under way. Never raises."""

    async def unheard(self, receipt: Reservation) -> None:
        """The client's connection was lost before it was seen to hear. Never raises."""

    async def heard(self, receipt: Reservation) -> None:
        """The client was seen to hear: its next command came. Never raises."""
