"""A `ports.relay.Relay` that writes down what it is asked, and answers as the test wants."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count

from relay.core.errors import NotPermitted
from relay.core.mail.message import Client, Envelope, Recipient, Submission
from relay.core.policy.window import CalendarDay
from relay.core.quota.reservation import Reservation
from relay.core.reply import Reply
from relay.core.tenants.tenancy import RouteId
from relay.ports.relay import Accepted, Hears

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
WINDOW = CalendarDay().at(NOW)


class RecordingRelay:
    """`log` is what happened, in words; `submissions` what was handed over."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.submissions: list[Submission] = []
        self.senders: list[tuple[Client, str]] = []
        self.quota_asked: list[Envelope] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.under_way = asyncio.Event()
        self.tells_early = True
        self.settling = asyncio.Event()
        self.settled = asyncio.Event()
        self.settled.set()
        self.settle_error: Exception | None = None
        self.quota_error: Exception | None = None
        self.error: Exception | None = None
        self.reply = Reply(250, "0.0", "Ok: queued as X")
        self.gives_receipts = True
        self.splits = False
        self.refused: dict[str, Exception] = {}
        self._numbers = count(1)

    def check_sender(self, client: Client, mail_from: str) -> None:
        self.senders.append((client, mail_from))
        if mail_from.endswith("@elsewhere.example"):
            raise NotPermitted("elsewhere.example is not a domain that you may send from")

    def begin(
        self, client: Client, envelope: Envelope, ref: str, session: str
    ) -> RecordingSplit | None:
        if not self.splits:
            return None
        self.log.append("begin")
        return RecordingSplit(self)

    async def check_quota(self, client: Client, envelope: Envelope, ref: str) -> None:
        self.quota_asked.append(envelope)
        if self.quota_error:
            raise self.quota_error

    async def relay(self, submission: Submission, taken: Hears | None = None) -> Accepted:
        name = f"m{next(self._numbers)}"
        self.log.append(f"relay {name}")
        self.submissions.append(submission)
        self.under_way.set()
        await self.gate.wait()
        if self.error:
            raise self.error
        self.log.append(f"taken {name}")
        accepted = Accepted(self.reply, receipt(name, submission) if self.gives_receipts else None)
        await self._settle(accepted, taken)
        return accepted

    async def _settle(self, accepted: Accepted, taken: Hears | None) -> None:
        if taken and self.tells_early:
            taken(accepted)
            self.settling.set()
        await self.settled.wait()
        if self.settle_error:
            raise self.settle_error

    async def left(self, submission: Submission) -> None:
        self.log.append("left")

    async def heard(self, receipt: Reservation) -> None:
        self.log.append(f"heard {receipt.id}")

    async def unheard(self, receipt: Reservation) -> None:
        self.log.append(f"unheard {receipt.id}")


class RecordingSplit:
    """A `ports.relay.SplitTransaction`; `refused` of its relay says whom it refuses, and why."""

    def __init__(self, relay: RecordingRelay) -> None:
        self._relay = relay
        self._is_over = False

    async def recipient(self, recipient: Recipient) -> Reply:
        assert not self._is_over
        name = recipient.address.partition("@")[0]
        if name in self._relay.refused:
            self._relay.log.append(f"refuse {name}")
            raise self._relay.refused[name]
        self._relay.log.append(f"take {name}")
        return Reply(250, None, "fine by me")

    async def finish(self, submission: Submission, taken: Hears | None = None) -> Accepted:
        self._is_over = True

        def both(accepted: Accepted) -> None:
            if taken:
                taken(self._of_two(accepted))

        return self._of_two(await self._relay.relay(submission, both))

    def _of_two(self, accepted: Accepted) -> Accepted:
        if accepted.receipt is None:
            return accepted
        second = replace(accepted.receipt, id=f"{accepted.receipt.id}b")
        return replace(accepted, more=(second,))

    async def abort(self) -> None:
        if not self._is_over:
            self._relay.log.append("abort")
        self._is_over = True


def receipt(name: str, submission: Submission) -> Reservation:
    count = len(submission.envelope.recipients)
    route = RouteId("acme.example", "outbound")
    return Reservation(name, route, WINDOW, count, submission.session, "f")


class RecordingObserver:
    def __init__(self) -> None:
        self.opened: list[str] = []
        self.closed: list[str] = []
        self.received_s: list[float] = []
        self.failures = 0
        self.blocked = 0
        self.refused_for_memory = 0

    def connection_opened(self, listener: str) -> None:
        self.opened.append(listener)

    def connection_closed(self, listener: str) -> None:
        self.closed.append(listener)

    def received(self, seconds: float) -> None:
        self.received_s.append(seconds)

    def auth_failed(self) -> None:
        self.failures += 1

    def auth_blocked(self) -> None:
        self.blocked += 1

    def crowded_out(self) -> None:
        self.refused_for_memory += 1
