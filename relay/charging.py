"""Quota around one message: reserve before, settle after, and never twice (rules 1 to 3).

Owns what happens between the store's verbs: which earlier attempt makes a message a retry,
and what an exception between reserve and settle means for the charge. Knows nothing of SMTP,
DKIM or Redis. Read `core/quota.py` for the words, `insisting.py` for a store that is away.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from relay.core.errors import (
    NeverFits,
    StillUnderWay,
    StoreTrouble,
    UnknownOutcome,
    UpstreamAnswered,
    UpstreamLacks,
    UpstreamTrouble,
    WarmupLimit,
)
from relay.core.mail import Classified, Outgoing
from relay.core.quota import (
    Demand,
    Granted,
    Mark,
    Reservation,
    Seen,
    Verdict,
    Wall,
    Walled,
    WallKind,
    wall_before,
)
from relay.core.reply import Reply
from relay.core.tenancy import Route
from relay.insisting import Insisting
from relay.ports import (
    Accepted,
    Clock,
    Instances,
    Lacks,
    QuotaStore,
    SaidNo,
    Taken,
    Unknown,
    Unreachable,
    Upstream,
)

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
    ) -> None:
        self._store = store
        self._instances = instances
        self._clock = clock
        self._insisting = insisting
        self._session_is_alive = session_is_alive
        self._under_way: dict[str, Reservation] = {}

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
        self._under_way[charge.reservation.id] = charge.reservation
        try:
            if self._has_left(charge.reservation.session):
                await self.unheard(charge.reservation)  # before there was anything to mark
            yield charge
        finally:
            await self._settle(charge)
            del self._under_way[charge.reservation.id]

    async def hand_over(self, charge: Charge, upstream: Upstream, message: Outgoing) -> Accepted:
        """Ask the upstream, and turn its outcome into a verdict and into what the client hears.

        From here on the charge is only given back on proof. Raises UpstreamAnswered,
        UpstreamLacks, UpstreamTrouble or UnknownOutcome for all that is no acceptance.
        """
        charge.verdict = Verdict.UNKNOWN
        outcome = await upstream.deliver(message)
        match outcome:
            case Taken(answer):
                charge.verdict = Verdict.SENT
                return Accepted(answer, _receipt(charge.reservation))
            case Unknown():
                raise UnknownOutcome
            case SaidNo(answer, recipient):
                charge.verdict = Verdict.REFUND
                raise UpstreamAnswered(answer, recipient)
            case Lacks(extension):
                charge.verdict = Verdict.REFUND
                raise UpstreamLacks(extension)
            case Unreachable():
                charge.verdict = Verdict.REFUND
                raise UpstreamTrouble

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
        if reservation := self._under_way.get(reservation_id):
            await self.unheard(reservation)

    async def unheard(self, receipt: Reservation) -> None:
        """The client went away before it was seen to hear. Never raises."""
        await self._insisting.insist(receipt.id, lambda: self._store.left(receipt))

    async def heard(self, receipt: Reservation) -> None:
        """The client heard: what is remembered of the message is dropped. Never raises."""
        await self._insisting.insist(receipt.id, lambda: self._store.heard(receipt))

    async def _reserve(self, message: Classified) -> Charge:
        demand = self._demand(message)
        found = await self._store.reserve(demand)
        if isinstance(found, Seen):
            if session := await self._unheard_session(found):
                return Charge(_earlier(demand, session), is_retry=True)
            found = await self._store.reserve(demand, anew=True)
        if isinstance(found, Walled):
            raise _refusal(found.wall)
        assert isinstance(found, Granted)
        return Charge(found.reservation)

    def _demand(self, message: Classified) -> Demand:
        now = self._clock.now()
        submission = message.submission
        return Demand(
            route=message.route,
            window=message.route.policy.window.at(now),
            count=len(submission.envelope.recipients),
            now=now,
            reservation=submission.ref,
            session=submission.session,
            fingerprint=message.fingerprint,
        )

    async def _unheard_session(self, seen: Seen) -> str | None:
        """The session of an attempt that was taken and never heard of (rule 3), if any.

        An attempt whose client is still connected is another mail, however alike. Raises
        StillUnderWay where an attempt's client is gone and its outcome is still open.
        """
        for session, mark in seen.marks.items():
            if mark is Mark.GONE or (mark is Mark.TAKEN and not await self._is_alive(session)):
                return session
        if Mark.LEFT in seen.marks.values():
            raise StillUnderWay
        return None

    async def _is_alive(self, session: str) -> bool:
        instance = session.partition(".")[0]
        if instance == self._instances.own:
            return self._session_is_alive(session)
        return await self._instances.is_alive(instance)

    def _has_left(self, session: str) -> bool:
        is_ours = session.partition(".")[0] == self._instances.own
        return is_ours and not self._session_is_alive(session)

    async def _settle(self, charge: Charge) -> None:
        now = self._clock.now()
        reservation, verdict = charge.reservation, charge.verdict
        await self._insisting.insist(
            reservation.id, lambda: self._store.settle(reservation, verdict, now)
        )


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


def _refusal(wall: Wall) -> WarmupLimit | NeverFits:
    largest = wall.route.policy.ramp.largest()
    if wall.kind is WallKind.MESSAGE and largest is not None and wall.wanted > largest:
        return NeverFits(wall)
    return WarmupLimit(wall)
