"""Quota around one message: reserve before, settle after, and never twice (rules 1 to 3).

Owns what happens between the store's verbs: which earlier attempt makes a message a retry,
and what an exception between reserve and settle means for the charge. Knows nothing of SMTP,
DKIM or Redis. Read `core/quota.py` for the words, `insisting.py` for a store that is away.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from relay.core.domain import domain_of
from relay.core.errors import StoreTrouble, WarmupLimit
from relay.core.mail import Classified, Outgoing, Recipient
from relay.core.policy import MailClass
from relay.core.providers import OTHER
from relay.core.quota import (
    Demand,
    Granted,
    Reservation,
    Seen,
    Split,
    Verdict,
    Walled,
    wall_before,
)
from relay.core.reply import Reply
from relay.core.tenancy import Route, RouteId
from relay.core.window import SLICE_S, Window
from relay.insisting import Insisting
from relay.ports import (
    Accepted,
    Clock,
    Instances,
    Providers,
    QuotaStore,
    Upstream,
)
from relay.retries import Retries
from relay.verdicts import heard_as, refusal_by, verdict_on

RETRIED: Final = Reply(250, "0.0", "Ok: taken at an earlier attempt, not sent again")


@dataclass(slots=True)
class Charge:
    """What was reserved for one message, and what will become of it.

    `is_retry`: the upstream has the message from an earlier attempt, whose reservation this
    is; nothing was charged now.
    """

    reservation: Reservation
    is_retry: bool = False
    verdict: Verdict = Verdict.REFUND


@dataclass(slots=True)
class Shares:
    """What was reserved for a message recipient by recipient; all of it ends alike."""

    reservations: tuple[Reservation, ...] = field(default=())
    verdict: Verdict = Verdict.REFUND


class Charging:
    """Reserves and settles for the pipeline.

    `session_is_alive` tells of sessions of this process only; other processes are asked
    through `instances`.
    """

    def __init__(
        self,
        store: QuotaStore,
        instances: Instances,
        clock: Clock,
        insisting: Insisting,
        session_is_alive: Callable[[str], bool],
        providers: Providers,
    ) -> None:
        self._store = store
        self._clock = clock
        self._insisting = insisting
        self._retries = Retries(instances, session_is_alive)
        self._providers = providers
        self._under_way: dict[str, tuple[Reservation, ...]] = {}

    @asynccontextmanager
    async def reserved(self, message: Classified) -> AsyncIterator[Charge]:
        """Charge the message's sends, and settle them when the block is left.

        Raises WarmupLimit, NeverFits, StillUnderWay or StoreTrouble, and then nothing was
        charged (StoreTrouble: may have been). A block left before `hand_over` refunds.
        """
        charge = await self._reserve(message)
        if charge.is_retry:
            yield charge
            return
        shares = Shares((charge.reservation,))
        async with self.settling(charge.reservation.id, shares):
            try:
                yield charge
            finally:
                shares.verdict = charge.verdict

    @asynccontextmanager
    async def settling(self, ref: str, shares: Shares) -> AsyncIterator[None]:
        """Settle `shares` with their verdict when the block is left.

        Until then `left(ref)` marks them. A block left before the verdict changed refunds.
        """
        self._under_way[ref] = shares.reservations
        try:
            if self._retries.has_left(shares.reservations[0].session):
                await self.left(ref)  # before there was anything to mark
            yield
        finally:
            await self.settle(shares.reservations, shares.verdict)
            del self._under_way[ref]

    async def reserve_one(
        self, route: Route, mail_class: MailClass, recipient: Recipient, name: str, session: str
    ) -> Reservation:
        """Charge the send to `recipient` under the id `name`, for a message that is not known yet.

        Raises WarmupLimit, NeverFits or StoreTrouble (may be charged). To be settled.
        """
        demand = await self._demand(route, mail_class, [recipient], name, session)
        found = await self._store.reserve(demand)
        if isinstance(found, Walled):
            raise refusal_by(found.wall)
        assert isinstance(found, Granted)
        return found.reservation

    async def check_room(
        self, route: Route, mail_class: MailClass, recipients: Sequence[Recipient]
    ) -> None:
        """Raise WarmupLimit or NeverFits unless `recipients` would fit now, or StoreTrouble."""
        asked = await self._demand(route, mail_class, recipients, "", "")
        standing = await self._store.standing(route, asked.window)
        wall = wall_before(
            route, asked.window, standing, asked.count, asked.split, asked.mail_class
        )
        if wall is not None:
            raise refusal_by(wall)

    def are_current(self, route: Route, reservations: Sequence[Reservation]) -> bool:
        """Whether all `reservations` of `route` still count for the window of now."""
        now = route.policy.window.at(self._clock.now())
        return all(
            held.window.label == now.label or _just_slid(held.window, now) for held in reservations
        )

    async def settle(self, reservations: Sequence[Reservation], verdict: Verdict) -> None:
        """Record what became of `reservations`, all of them at once. Never raises."""
        await asyncio.gather(*(self._settle(held, verdict) for held in reservations))

    async def earlier_attempts(
        self, route: RouteId, fingerprints: Sequence[str]
    ) -> list[str | None]:
        """For each message the session of an attempt that was taken and never heard of, if any.

        Raises StillUnderWay or StoreTrouble.
        """
        found = await self._store.attempts(route, fingerprints, self._clock.now())
        return await self._retries.unheard_sessions(found)

    async def hand_over(self, charge: Charge, upstream: Upstream, message: Outgoing) -> Accepted:
        """Ask the upstream, and turn its outcome into a verdict and into what the client hears.

        From here on the charge is only given back on proof. Raises UpstreamAnswered,
        UpstreamLacks, UpstreamTrouble or UnknownOutcome for all that is no acceptance.
        """
        charge.verdict = Verdict.UNKNOWN
        charge.verdict, answer = verdict_on(await upstream.deliver(message))
        return Accepted(heard_as(answer), _receipt(charge.reservation))

    async def peek(self, route: Route, wanted: int) -> None:
        """Raise WarmupLimit if the route is paused or full, for certain, before any body.

        A message of which the store still remembers an unheard acceptance may be on its way
        again (rule 3), so nothing is said then; neither while the store is away.
        """
        window = route.policy.window.at(self._clock.now())
        try:
            standing = await self._store.standing(route, window)
        except StoreTrouble:
            return
        wall = wall_before(route, window, standing, wanted)
        if wall is not None and not standing.unheard:
            raise WarmupLimit(wall)

    async def left(self, reservation_id: str) -> None:
        """The client went away while its message was under way. Never raises."""
        reservations = self._under_way.get(reservation_id, ())
        await asyncio.gather(*map(self.unheard, reservations))

    async def unheard(self, receipt: Reservation) -> None:
        """The client went away before it was seen to hear. Never raises."""
        await self._insisting.insist(receipt.id, lambda: self._store.left(receipt))

    async def heard(self, receipt: Reservation) -> None:
        """The client heard: what is remembered of the message is dropped. Never raises."""
        await self._insisting.insist(receipt.id, lambda: self._store.heard(receipt))

    async def _reserve(self, message: Classified) -> Charge:
        submission = message.submission
        demand = await self._demand(
            message.route,
            message.mail_class,
            submission.envelope.recipients,
            submission.ref,
            submission.session,
            message.fingerprint,
        )
        found = await self._store.reserve(demand)
        if isinstance(found, Seen):
            if session := await self._retries.unheard_session(found.marks):
                return Charge(_earlier(demand, session), is_retry=True)
            found = await self._store.reserve(demand, anew=True)
        if isinstance(found, Walled):
            raise refusal_by(found.wall)
        assert isinstance(found, Granted)
        return Charge(found.reservation)

    async def _demand(
        self,
        route: Route,
        mail_class: MailClass,
        recipients: Sequence[Recipient],
        reservation: str,
        session: str,
        fingerprint: str | None = None,
    ) -> Demand:
        split = await self._split(recipients)
        now = self._clock.now()
        return Demand(
            route=route,
            window=route.policy.window.at(now),
            count=len(recipients),
            now=now,
            reservation=reservation,
            session=session,
            fingerprint=fingerprint,
            split=split,
            mail_class=mail_class,
        )

    async def _split(self, recipients: Sequence[Recipient]) -> Split:
        """How many of `recipients` each provider has; one without a valid domain is `other`."""
        domains = [domain_of(recipient.address) for recipient in recipients]
        known = await self._providers.of({domain for domain in domains if domain})
        counts = Counter(known.get(domain or "", OTHER) for domain in domains)
        return tuple(sorted(counts.items()))

    async def _settle(self, reservation: Reservation, verdict: Verdict) -> None:
        now = self._clock.now()
        await self._insisting.insist(
            reservation.id, lambda: self._store.settle(reservation, verdict, now)
        )


def _just_slid(held: Window, now: Window) -> bool:
    """Whether a rolling window has moved on by one slice: it counts one more than needed."""
    return held.slides and now.opens_at - held.opens_at == timedelta(seconds=SLICE_S)


def _receipt(reservation: Reservation) -> Reservation | None:
    return reservation if reservation.fingerprint is not None else None


def _earlier(demand: Demand, session: str) -> Reservation:
    """The reservation of an earlier attempt at the same message, for `heard` and `left`."""
    return Reservation(
        id=f"{demand.reservation}+{session}",
        route=demand.route.id,
        window=demand.window,
        count=demand.count,
        session=session,
        fingerprint=demand.fingerprint,
    )
