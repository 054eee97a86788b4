"""The ports of an upstream: what a message can come to that is handed over, and how it is asked.

The promises are about the same four things as those of `ports/__init__.py`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from relay.core.mail.message import Envelope, Outgoing, Recipient
from relay.core.reply import Reply
from relay.core.values import value


@value(frozen=True, slots=True)
class Taken:
    """The upstream took every recipient; `answer` is its reply to the final dot."""

    answer: Reply


@dataclass(frozen=True, slots=True)
class SaidNo:
    """The upstream refused (5xx) or deferred (4xx), and took nothing.

    `recipient` names the first refused one; None where the message as a whole was refused.
    """

    answer: Reply
    recipient: str | None = None


@dataclass(frozen=True, slots=True)
class Unreachable:
    """Nothing was handed over: proven, for the final dot was never sent. `why` is for the log."""

    why: str


@dataclass(frozen=True, slots=True)
class Lacks:
    """The upstream does not offer `extension`, which the message needs; nothing was handed over.

    `why`: in which way, where that is not all; of SIZE, that it does not offer enough.
    """

    extension: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Unknown:
    """The final dot was sent and no valid reply came. `why` is for the log."""

    why: str


Outcome = Taken | SaidNo | Unreachable | Lacks | Unknown
Refusal = SaidNo | Unreachable | Lacks
"""Certain: the upstream has taken nothing by this."""


class Handover(Protocol):
    """One transaction with an upstream, open while its recipients are still coming in.

    Good for one `send`. Nothing is handed over before `send`, and nothing can be after `abort`
    or once a step answered Unreachable: every later step answers so too. It keeps a connection
    of the upstream to itself, for a bounded time only: left alone for longer it ends by itself.
    A cancelled step ends it. One step at a time.
    """

    async def recipient(self, recipient: Recipient) -> Reply | Refusal:
        """Offer `recipient`: the upstream's 2xx, or why it cannot be sent to.

        A refused recipient leaves those before it as they are. Has a deadline.
        """

    async def send(self, message: Outgoing) -> Outcome:
        """Hand `message` over, whose envelope names the recipients that were accepted.

        To all of them or to none. Never raises but for cancellation. Every step has a deadline.
        """

    async def abort(self) -> None:
        """Give the transaction up, within a bounded time. Idempotent; never raises."""


Clearance = Callable[[], Awaitable[None]]
"""Returns when content may be sent; raises a RelayError if it may not."""


class Upstream(Protocol):
    """One SMTP server (or maildir) that mail is handed to."""

    @property
    def name(self) -> str:
        """Its name in the config."""

    @property
    def offers(self) -> frozenset[str] | None:
        """EHLO keywords it was last seen to offer, upper case; None before the first contact."""

    async def deliver(self, message: Outgoing, cleared: Clearance | None = None) -> Outcome:
        """Hand `message` over to all of its recipients, all or nothing.

        Before the first byte of content `cleared` is awaited, again on another connection; what
        it raises ends the delivery, and nothing was handed over. Never raises but for that and
        for cancellation, and never sends a message twice: it tries another connection or host
        only while it is certain that nothing was handed over. Every step has a deadline. A call
        that raises leaves no half transaction on a pooled connection.
        """

    async def begin(self, envelope: Envelope) -> Handover | Refusal:
        """Open a transaction for a message that is not there yet; its recipients come later.

        The recipients of `envelope` are not looked at. Tries other connections and hosts as
        `deliver` does. Must be followed by `send` or `abort`. Never raises but for cancellation.
        """

    async def probe(self) -> str | None:
        """Connect and greet: None when it answers, else what is wrong, for people."""

    async def close(self) -> None:
        """QUIT and close every connection, within a bounded time."""
