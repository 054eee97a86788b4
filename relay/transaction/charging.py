"""Quota around one message: reserve before, settle after, and never twice (rules 1 to 3).

Owns what an exception between reserve and settle means for the charge. Knows nothing of SMTP,
DKIM or Redis. Which route is charged is `reserving.py`; read
`core/quota/reservation.py` for the words, `insisting.py` for a store that is away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from relay.core.errors import StillUnderWay
from relay.core.mail.message import Classified, Outgoing
from relay.core.policy.window import SLICE_S, Window
from relay.core.quota.reservation import Reservation, Verdict
from relay.core.reply import Reply
from relay.core.tenants.tenancy import Route
from relay.ports import Clock, Instances, Providers, QuotaStore
from relay.ports.relay import Accepted
from relay.ports.upstream import Upstream
from relay.transaction.insisting import Insisting
from relay.transaction.reserving import Charge, Reserving, Wanted
from relay.transaction.retries import Retries
from relay.transaction.verdicts import heard_as, verdict_on

RETRIED: Final = Reply(250, "0.0", "Ok: taken at an earlier attempt, not sent again")


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
        self._reserving = Reserving(store, clock, self._retries, providers)
        self.peek = self._reserving.peek
        self.room_for = self._reserving.room_for
        self.forget_room = self._reserving.forget_room
        self.split_of = self._reserving.split_of
        self._under_way: dict[str, tuple[Reservation, ...]] = {}

    def reserved(self, message: Classified) -> _Reserved:
        """Charge the message's sends, and settle them when the block is left.

        Raises WarmupLimit, NeverFits, StillUnderWay or StoreTrouble, and then nothing was
        charged (StoreTrouble: may have been). A block left before `hand_over` refunds. What may
        be done before the charge is on the disk (signing) is done between the two.
        """
        return _Reserved(self, message)

    async def charge(self, message: Classified) -> Charge:
        """As `reserved`, to be settled by the caller unless it is a retry."""
        fingerprint, session = message.fingerprint, message.submission.session
        self._retries.begin(fingerprint, session)
        try:
            charge = await self._reserving.reserve_message(message)
        except BaseException:
            self._retries.end(fingerprint, session)
            raise
        if charge.is_retry:
            self._retries.end(fingerprint, session)
        elif self._is_given_up(charge, fingerprint, session):
            await self.settle((charge.reservation,), Verdict.REFUND)
            raise StillUnderWay
        return charge

    def _is_given_up(self, charge: Charge, fingerprint: str | None, session: str) -> bool:
        """Whether a client has gone since the store was asked, and is or was elsewhere with it.

        This one's, from which another process has it; or another one's, of this process.
        """
        if charge.is_contested and self._retries.has_left(session):
            return True
        return self._retries.is_left_by_another(fingerprint, session)

    def settling(self, ref: str, shares: Shares) -> _Settling:
        """Settle `shares` with their verdict when the block is left.

        Until then `left(ref)` marks them. A block left before the verdict changed refunds.
        """
        return _Settling(self, ref, shares)

    async def begin(self, ref: str, reservations: tuple[Reservation, ...]) -> None:
        """From now on `left(ref)` marks `reservations`; followed by `end`, even if cancelled."""
        self._under_way[ref] = reservations
        if self._retries.has_left(reservations[0].session):
            await self.left(ref)  # before there was anything to mark

    async def end(self, ref: str, reservations: tuple[Reservation, ...], verdict: Verdict) -> None:
        """Settle `reservations`, which began as `ref`."""
        await self.settle(reservations, verdict)
        del self._under_way[ref]

    async def reserve_one(self, routes: Sequence[Route], wanted: Wanted) -> Reservation:
        """Charge what is `wanted`: a recipient of a message that is not known yet, or a batch.

        To the first of `routes` that has room. Raises WarmupLimit, NeverFits or StoreTrouble
        (may be charged). To be settled.
        """
        reservation = (await self._reserving.reserve(routes, wanted)).reservation
        await self._store.lasts(reservation)
        return reservation

    def are_current(self, route: Route, reservations: Sequence[Reservation]) -> bool:
        """Whether all `reservations` of `route` still count for the window of now."""
        now = route.policy.window.at(self._clock.now())
        return all(
            held.window.label == now.label or _just_slid(held.window, now) for held in reservations
        )

    def settle(
        self, reservations: Sequence[Reservation], verdict: Verdict
    ) -> Coroutine[Any, Any, None]:
        """Record what became of `reservations`, all of them at once. Never raises."""
        if len(reservations) == 1:  # nearly always: then it needs no task of its own
            return self._settle(reservations[0], verdict)
        return self._settle_all(reservations, verdict)

    def says_at_once(self) -> bool:
        """Whether a settlement that begins now is sent in the next turn of the loop."""
        return self._store.says_at_once()

    async def _settle_all(self, reservations: Sequence[Reservation], verdict: Verdict) -> None:
        await asyncio.gather(*(self._settle(held, verdict) for held in reservations))

    async def earlier_attempts(
        self, domain: str, fingerprints: Sequence[str], session: str
    ) -> list[str | None]:
        """For each message of `domain` the session of an attempt that was taken and never heard of.

        None where there is none. `session` is at them from now on, until they are settled with
        their fingerprints. Raises StillUnderWay or StoreTrouble.
        """
        for fingerprint in fingerprints:
            self._retries.begin(fingerprint, session)
        found = await self._store.attempts(domain, fingerprints, session, self._clock.now())
        if any(self._retries.is_left_by_another(each, session) for each in fingerprints):
            raise StillUnderWay
        return await self._retries.unheard_sessions(found)

    async def hand_over(self, charge: Charge, upstream: Upstream, message: Outgoing) -> Accepted:
        """Ask the upstream, and turn its outcome into a verdict and into what the client hears.

        The upstream hears the envelope while the charge is still on its way to the disk, and
        nothing of the content before it is there; from then on the charge is only given back on
        proof. Raises UpstreamAnswered, UpstreamLacks, UpstreamTrouble or UnknownOutcome for all
        that is no acceptance, and StoreTrouble where the charge might not outlive a power cut:
        nothing was forwarded then.
        """

        async def cleared() -> None:
            await self._store.lasts(charge.reservation)
            charge.verdict = Verdict.UNKNOWN

        charge.verdict, answer = verdict_on(await upstream.deliver(message, cleared))
        is_remembered = charge.reservation.fingerprint is not None
        return Accepted(heard_as(answer), charge.reservation if is_remembered else None)

    async def left(self, reservation_id: str) -> None:
        """The client went away while its message was under way. Never raises."""
        reservations = self._under_way.get(reservation_id, ())
        await asyncio.gather(*map(self.unheard, reservations))

    def unheard(self, receipt: Reservation) -> Coroutine[Any, Any, None]:
        """The client went away before it was seen to hear. Never raises."""
        return self._insisting.insist(receipt.id, partial(self._store.left, receipt))

    def heard(self, receipt: Reservation) -> Coroutine[Any, Any, None]:
        """The client heard: what is remembered of the message is dropped. Never raises."""
        return self._insisting.insist(receipt.id, partial(self._store.heard, receipt))

    def _settle(self, reservation: Reservation, verdict: Verdict) -> Coroutine[Any, Any, None]:
        verb = partial(self._recorded, reservation, verdict, self._clock.now())
        given_up = partial(self._retries.end, reservation.fingerprint, reservation.session)
        return self._insisting.insist(reservation.id, verb, given_up)

    async def _recorded(self, held: Reservation, verdict: Verdict, now: datetime) -> None:
        await self._store.settle(held, verdict, now)
        self._retries.end(held.fingerprint, held.session)


class _Settling:
    """See `Charging.settling`. As a generator it would cost a message 10 µs."""

    __slots__ = ("_charging", "_ref", "_shares")

    def __init__(self, charging: Charging, ref: str, shares: Shares) -> None:
        self._charging = charging
        self._ref = ref
        self._shares = shares

    async def __aenter__(self) -> None:
        try:
            await self._charging.begin(self._ref, self._shares.reservations)
        except BaseException:
            await self._end()
            raise

    async def __aexit__(self, *_: object) -> None:
        await self._end()

    def _end(self) -> Coroutine[Any, Any, None]:
        return self._charging.end(self._ref, self._shares.reservations, self._shares.verdict)


class _Reserved:
    """See `Charging.reserved`."""

    __slots__ = ("_charge", "_charging", "_message")

    def __init__(self, charging: Charging, message: Classified) -> None:
        self._charging = charging
        self._message = message

    async def __aenter__(self) -> Charge:
        self._charge = charge = await self._charging.charge(self._message)
        if not charge.is_retry:
            try:
                await self._charging.begin(charge.reservation.id, (charge.reservation,))
            except BaseException:
                await self.__aexit__()
                raise
        return charge

    async def __aexit__(self, *_: object) -> None:
        charge = self._charge
        if not charge.is_retry:
            held = charge.reservation
            await self._charging.end(held.id, (held,), charge.verdict)


def _just_slid(held: Window, now: Window) -> bool:
    """Whether a rolling window has moved on by one slice: it counts one more than needed."""
    return held.slides and now.opens_at - held.opens_at == timedelta(seconds=SLICE_S)
