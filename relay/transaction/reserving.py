"""Which route takes a message: quota is asked of a domain's routes in order (`excess: overflow`).

Owns the walk: the first route without a wall is charged, and a message that meets a wall on
every one is told of the wall that opens first. Only walls lead on to the next route; trouble
of the store or an upstream ends the walk. What becomes of a charge is `charging.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from relay.core.domain import domain_of
from relay.core.errors import NeverFits, StoreTrouble, WarmupLimit
from relay.core.mail.message import Classified, Recipient
from relay.core.policy.policy import MailClass
from relay.core.policy.window import Window
from relay.core.providers import OTHER
from relay.core.quota.campaign import Campaign
from relay.core.quota.excess import first_to_open
from relay.core.quota.reservation import (
    Demand,
    Elsewhere,
    Granted,
    Reservation,
    Seen,
    Split,
    Verdict,
    Wall,
    Walled,
    wall_before,
)
from relay.core.tenants.tenancy import Route
from relay.core.values import value
from relay.ports import Clock, Providers, QuotaStore
from relay.transaction.lately import Lately
from relay.transaction.retries import Retries
from relay.transaction.verdicts import refusal_by


@dataclass(slots=True)
class Charge:
    """What was reserved for one message, and what will become of it.

    `is_retry`: the upstream has the message from an earlier attempt, whose reservation this
    is; nothing was charged now. `is_contested`: see `Granted`.
    """

    reservation: Reservation
    is_retry: bool = False
    is_contested: bool = False
    verdict: Verdict = Verdict.REFUND


@value(frozen=True, slots=True)
class Wanted:
    """What is asked for, whichever route takes it: a `Demand` without route, window and time.

    `split` is given where it is known already: the providers are not asked again.
    """

    recipients: tuple[Recipient, ...]
    mail_class: MailClass
    reservation: str = ""
    session: str = ""
    fingerprint: str | None = None
    campaign: Campaign | None = None
    split: Split | None = None


class Reserving:
    """Asks `store` for quota, route by route."""

    def __init__(
        self, store: QuotaStore, clock: Clock, retries: Retries, providers: Providers
    ) -> None:
        self._store = store
        self._clock = clock
        self._retries = retries
        self._providers = providers
        self._lately = Lately()
        self.forget_room = self._lately.forget_all

    def reserve_message(self, message: Classified) -> Coroutine[Any, Any, Charge]:
        """Charge `message` to the first of its domain's routes that has room.

        Raises WarmupLimit, NeverFits, StillUnderWay or StoreTrouble, and then nothing was
        charged (StoreTrouble: may have been).
        """
        submission = message.submission
        wanted = Wanted(
            submission.envelope.recipients,
            message.mail_class,
            submission.ref,
            submission.session,
            message.fingerprint,
            message.campaign,
        )
        return self.reserve(message.domain.walk, wanted)

    async def reserve(self, routes: Sequence[Route], wanted: Wanted) -> Charge:
        """As `reserve_message`, for what is `wanted` of `routes`."""
        split = wanted.split or await self.split_of(wanted.recipients)
        found = await self._walk(routes, wanted, split)
        if isinstance(found, Elsewhere):
            kept = [route for route in routes if route.id.upstream == found.upstream]
            found = await self._walk(kept, wanted, split)
        if isinstance(found, Elsewhere):
            raise StoreTrouble  # the campaign was given up and taken over between two questions
        return found

    async def room_for(
        self, routes: Sequence[Route], mail_class: MailClass, recipients: Sequence[Recipient]
    ) -> Route:
        """The first of `routes` on which all `recipients` would fit now.

        Raises WarmupLimit or NeverFits where there is none, or StoreTrouble.
        """
        split, walls = await self.split_of(recipients), []
        for route in routes:
            wall = await self._wall(route, len(recipients), split, mail_class)
            if wall is None:
                return route
            walls.append(wall)
        raise refusal_by(walls)

    def peek(self, routes: Sequence[Route], count: int) -> Coroutine[Any, Any, None] | None:
        """Raise WarmupLimit if every route is paused or full, for certain, before any body.

        None where one of them had room lately: then there is nothing to be awaited.
        A message of which the store still remembers an unheard acceptance may be on its way
        again (rule 3), so nothing is said then; neither while the store is away.
        """
        now = self._clock.now()
        for route in routes:
            if self._lately.had_room(route, now, count):
                return None
        return self._look([(route, route.policy.window.at(now)) for route in routes], count)

    async def _look(self, wanted: list[tuple[Route, Window]], count: int) -> None:
        try:
            standings = await self._store.standings(wanted)
        except StoreTrouble:
            return
        walls = []
        for (route, window), standing in zip(wanted, standings, strict=True):
            wall = wall_before(route, window, standing, count)
            if wall is None or standing.unheard:
                return
            walls.append(wall)
        raise WarmupLimit(first_to_open(walls))

    async def split_of(self, recipients: Sequence[Recipient]) -> Split:
        """How many of `recipients` each provider has; one without a valid domain is `other`."""
        if len(recipients) == 1:  # nearly always
            only = domain_of(recipients[0].address)
            found = await self._providers.of((only,)) if only else {}
            return ((found.get(only or "", OTHER), 1),)
        domains = [domain_of(recipient.address) for recipient in recipients]
        known = await self._providers.of({domain for domain in domains if domain})
        counts = Counter(known.get(domain or "", OTHER) for domain in domains)
        return tuple(sorted(counts.items()))

    async def _walk(
        self, routes: Sequence[Route], wanted: Wanted, split: Split
    ) -> Charge | Elsewhere:
        walls: list[Wall] = []
        is_anew = False
        for route in routes:
            demand = self._demand(route, wanted, split)
            found = await self._store.reserve(demand, anew=is_anew)
            if isinstance(found, Seen):
                self._lately.forget(route)
                if session := await self._retries.unheard_session(found.marks):
                    return Charge(_earlier(demand, session), is_retry=True)
                is_anew = True
                found = await self._store.reserve(demand, anew=True)
            if isinstance(found, Granted):
                self._lately.note(route, demand.window, found.room)
                return Charge(found.reservation, is_contested=found.is_contested)
            self._lately.forget(route)
            if not isinstance(found, Walled):
                assert isinstance(found, Elsewhere)
                return found
            if found.is_kept:
                raise _refusal_by_own(found.wall, wanted)
            walls.append(found.wall)
        raise refusal_by(walls)

    async def _wall(
        self, route: Route, count: int, split: Split, mail_class: MailClass
    ) -> Wall | None:
        window = route.policy.window.at(self._clock.now())
        standing = await self._store.standing(route, window)
        return wall_before(route, window, standing, count, split, mail_class)

    def _demand(self, route: Route, wanted: Wanted, split: Split) -> Demand:
        now = self._clock.now()
        return Demand(
            route=route,
            window=route.policy.window.at(now),
            count=len(wanted.recipients),
            now=now,
            reservation=wanted.reservation,
            session=wanted.session,
            fingerprint=wanted.fingerprint,
            split=split,
            mail_class=wanted.mail_class,
            campaign=wanted.campaign,
        )


def _refusal_by_own(wall: Wall, wanted: Wanted) -> WarmupLimit | NeverFits:
    """What a campaign hears of its own route: 550 only where there is no other one.

    When the campaign is forgotten, another route may take what this one never will.
    """
    others = wanted.campaign.upstreams[1:] if wanted.campaign else ()
    return WarmupLimit(wall) if others else refusal_by([wall])


def _earlier(demand: Demand, session: str) -> Reservation:
    """The reservation of an earlier attempt at the same message, for `heard` and `left`.

    Over which route it went is not known, nor needed: messages are remembered by domain.
    """
    return Reservation(
        id=f"{demand.reservation}+{session}",
        route=demand.route.id,
        window=demand.window,
        count=demand.count,
        session=session,
        fingerprint=demand.fingerprint,
    )
