"""The sentence, recipient by recipient (`recipients: split`), for clients that are MTAs.

At each RCPT one send is reserved and the recipient is offered upstream, in a transaction that
stays open; at the end of DATA the message is classified, signed and sent in it, and all of its
sends are settled alike. `pipeline.py` is the same for whole messages; what failure means for
the quota is `charging.py`, for the client `edge/replies.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from relay.concurrency.beside import beside
from relay.core.domain import domain_of
from relay.core.mail.classify import class_without_header, recipient_fingerprints
from relay.core.mail.message import Classified, Client, Envelope, Outgoing, Recipient, Submission
from relay.core.policy.policy import MailClass, Recipients
from relay.core.quota.reservation import Reservation, Verdict
from relay.core.reply import Reply
from relay.core.tenants.tenancy import Directory, Route, SendingDomain
from relay.ports import Settings
from relay.ports.relay import Accepted, Hears
from relay.ports.upstream import Handover, Outcome, Refusal, SaidNo, Unreachable, Upstream
from relay.transaction.charging import RETRIED, Charging, Shares
from relay.transaction.preparing import Preparing
from relay.transaction.reserving import Wanted
from relay.transaction.verdicts import heard_as, refusal_of, verdict_on

Classify = Callable[[Submission, Directory], Classified]


class Splitting:
    """Begins split transactions where the policy says so, and holds what they need."""

    def __init__(
        self,
        settings: Settings,
        classify: Classify,
        charging: Charging,
        preparing: Preparing,
        upstreams: Mapping[str, Upstream],
    ) -> None:
        self.settings = settings
        self.classify = classify
        self.charging = charging
        self.preparing = preparing
        self.upstreams = upstreams

    def begin(
        self, client: Client, envelope: Envelope, ref: str, session: str
    ) -> SplitMessage | None:
        """See `ports.relay.Relay`: None where the sending domain is not certain yet, too."""
        name = domain_of(envelope.mail_from)
        domain = name and self.settings.directory.standing_in(client.tenant, name)
        if not domain or domain.routes[0].policy.recipients is not Recipients.SPLIT:
            return None
        return SplitMessage(self, domain, client, envelope, ref, session)


@dataclass(frozen=True, slots=True)
class _Held:
    """A recipient that was accepted, and the send that is reserved for it."""

    recipient: Recipient
    reservation: Reservation


class SplitMessage:
    """Implements `ports.relay.SplitTransaction` for a message that stands to be `domain`'s.

    The first recipient that is reserved decides its route: the first of the domain's that has
    room. Those after it fit that route, or are deferred.
    """

    def __init__(
        self,
        desk: Splitting,
        domain: SendingDomain,
        client: Client,
        envelope: Envelope,
        ref: str,
        session: str,
    ) -> None:
        self._desk = desk
        self._domain = domain
        self._route: Route | None = None
        self._mail_class = class_without_header(client, domain)
        self._envelope = envelope
        self._ref = ref
        self._session = session
        self._number = 0
        self._held: list[_Held] = []
        self._handover: Handover | None = None
        self._lost: Refusal | None = None
        self._is_over = False

    async def recipient(self, recipient: Recipient) -> Reply:
        """See `ports.relay.SplitTransaction`."""
        if self._lost:
            raise refusal_of(self._lost)  # the upstream takes nothing more: charge nothing
        routes = (self._route,) if self._route else self._domain.walk
        reservation = await self._reserve(routes, self._mail_class, recipient)
        self._route = self._route or _route_of(reservation, routes)
        try:
            answer = await self._offer(recipient, reservation.route.upstream)
        except BaseException:
            await self._desk.charging.settle([reservation], Verdict.REFUND)
            raise
        self._held.append(_Held(recipient, reservation))
        return answer

    async def finish(self, submission: Submission, taken: Hears | None = None) -> Accepted:
        """See `ports.relay.SplitTransaction`."""
        self._is_over = True
        try:
            return await self._relayed(submission, taken)
        finally:
            await self._let_go()

    async def abort(self) -> None:
        """See `ports.relay.SplitTransaction`."""
        if not self._is_over:
            self._is_over = True
            await self._let_go()

    async def _relayed(self, submission: Submission, taken: Hears | None) -> Accepted:
        size, directory = len(submission.content), self._desk.settings.directory
        message = await beside(size, self._desk.classify, submission, directory)
        await self._move(message)
        earlier = await self._leave_out_retried(message)
        if not self._held:
            return _accepted(RETRIED, earlier)
        signed = await self._desk.preparing.signed(self._to_held(message))
        shares = Shares(tuple(held.reservation for held in self._held))
        self._held = []
        async with self._desk.charging.settling(self._ref, shares):
            shares.verdict = Verdict.UNKNOWN
            upstream = shares.reservations[0].route.upstream
            shares.verdict, answer = verdict_on(await self._send(upstream, signed))
            reply = heard_as(answer)
            accepted = _accepted(reply, (*shares.reservations, *earlier), is_retry=False)
            is_one = len(shares.reservations) == 1
            if taken and is_one and self._desk.charging.says_at_once():
                taken(accepted)
        return accepted

    # At RCPT.

    async def _reserve(
        self, routes: Sequence[Route], mail_class: MailClass, recipient: Recipient
    ) -> Reservation:
        self._number += 1
        wanted = Wanted((recipient,), mail_class, f"{self._ref}.{self._number}", self._session)
        return await self._desk.charging.reserve_one(routes, wanted)

    async def _offer(self, recipient: Recipient, upstream: str) -> Reply:
        if self._handover is None:
            await self._open(upstream)
        assert self._handover is not None
        answer = await self._handover.recipient(recipient)
        if isinstance(answer, Reply):
            return answer
        if isinstance(answer, Unreachable) or _is_farewell(answer):
            self._lost = Unreachable("the upstream has left")
        raise refusal_of(answer)

    async def _open(self, upstream: str) -> None:
        begun = await self._desk.upstreams[upstream].begin(self._envelope)
        if isinstance(begun, Refusal):
            self._lost = begun
            raise refusal_of(begun)
        self._handover = begun

    # At the end of DATA.

    async def _move(self, message: Classified) -> None:
        """Reserve anew where the message is not what its envelope made it look like.

        Another domain in the From header, another class, or a new window since the first RCPT.
        """
        charging, recipients = self._desk.charging, [held.recipient for held in self._held]
        wanted = (message.domain.name, message.mail_class)
        is_as_begun = wanted == (self._domain.name, self._mail_class)
        if is_as_begun and self._is_current():
            return
        await self._give_back()
        route = await charging.room_for(message.domain.walk, message.mail_class, recipients)
        for recipient in recipients:
            reservation = await self._reserve((route,), message.mail_class, recipient)
            self._held.append(_Held(recipient, reservation))

    async def _leave_out_retried(self, message: Classified) -> tuple[Reservation, ...]:
        """Take out whom an unheard earlier attempt has reached (rule 3): its reservations.

        They were offered upstream already, so that transaction is given up. All get their
        fingerprints first, so that whatever becomes of them is told of their messages too.
        """
        size = len(message.submission.content)
        names = await beside(size, recipient_fingerprints, self._to_held(message))
        if not names:
            return ()
        self._held = [_named(*pair) for pair in zip(self._held, names, strict=True)]
        domain, charging = message.domain.name, self._desk.charging
        sessions = await charging.earlier_attempts(domain, names, self._session)
        pairs = list(zip(self._held, sessions, strict=True))
        seen = [(held, session) for held, session in pairs if session is not None]
        if seen:
            await self._give_up_upstream()
            self._held = [held for held, session in pairs if session is None]
            doubles = [held.reservation for held, _ in seen]
            await charging.settle(doubles, Verdict.REFUND)
        return tuple(_of_session(held.reservation, session) for held, session in seen)

    async def _send(self, upstream: str, signed: Outgoing) -> Outcome:
        """In the open transaction; in a new one if that was given up, or is another upstream's."""
        if self._route is None or upstream != self._route.id.upstream:
            await self._give_up_upstream()
        handover, self._handover = self._handover, None
        if handover is None:
            return await self._desk.upstreams[upstream].deliver(signed)
        return await handover.send(signed)

    def _to_held(self, message: Classified) -> Classified:
        """`message`, to the recipients that are held."""
        recipients = tuple(held.recipient for held in self._held)
        envelope = replace(message.submission.envelope, recipients=recipients)
        return replace(message, submission=replace(message.submission, envelope=envelope))

    # The end.

    def _is_current(self) -> bool:
        held = self._reservations()
        return self._route is None or self._desk.charging.are_current(self._route, held)

    def _reservations(self) -> list[Reservation]:
        return [held.reservation for held in self._held]

    async def _let_go(self) -> None:
        """Whatever is still held was not sent."""
        await self._give_back()
        await self._give_up_upstream()

    async def _give_back(self) -> None:
        reservations, self._held = self._reservations(), []
        await self._desk.charging.settle(reservations, Verdict.REFUND)

    async def _give_up_upstream(self) -> None:
        handover, self._handover = self._handover, None
        if handover:
            await handover.abort()


def _route_of(reservation: Reservation, routes: Sequence[Route]) -> Route:
    return next(route for route in routes if route.id == reservation.route)


def _is_farewell(refusal: Refusal) -> bool:
    return isinstance(refusal, SaidNo) and refusal.answer.code == 421


def _named(held: _Held, fingerprint: str) -> _Held:
    return replace(held, reservation=replace(held.reservation, fingerprint=fingerprint))


def _of_session(reservation: Reservation, session: str) -> Reservation:
    """The reservation of an earlier attempt at the same message, for `heard` and `left`."""
    return replace(reservation, id=f"{reservation.id}+{session}", session=session)


def _accepted(
    reply: Reply, receipts: tuple[Reservation, ...], *, is_retry: bool = True
) -> Accepted:
    known = [receipt for receipt in receipts if receipt.fingerprint is not None]
    return Accepted(reply, known[0] if known else None, tuple(known[1:]), is_retry)
