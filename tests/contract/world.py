"""Routes, clocks and demands for the tests of a store."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from itertools import count

from relay.core.policy.limits import LimitTier, ProviderCap, Share
from relay.core.policy.policy import MailClass, Policy
from relay.core.policy.ramp import Advance, Cap, Ramp, Tier
from relay.core.policy.window import CalendarDay, Rolling24h
from relay.core.quota.reservation import Demand, Granted, Reservation, Split, Verdict, Walled
from relay.core.tenants.tenancy import Route, RouteId

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
_numbers = count()


class HandClock:
    """A clock that stands until it is moved."""

    def __init__(self, now: datetime = NOON) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def set(self, now: datetime) -> None:
        self._now = now

    def move(self, **by: float) -> None:
        self._now += timedelta(**by)


def policy(
    *tiers: tuple[int, Cap],
    advance: Advance = Advance.CALENDAR_DAYS,
    zone: str = "UTC",
    starts: time = time(0),
    rolling: bool = False,
    qualify_ppm: int = 500_000,
    **more: object,
) -> Policy:
    """A policy; `more` are its walls, as `Policy` has them."""
    ramp = Ramp(advance, tuple(Tier(*tier) for tier in tiers or ((0, 50),)), qualify_ppm)
    window = Rolling24h(zone, starts) if rolling else CalendarDay(zone, starts)
    return Policy("test", "", "", ramp, window, **more)


def share(percent: float) -> ProviderCap:
    """A provider's share of the cap."""
    return provider_tiers((0, Share(round(percent * 10_000))))


def provider_tiers(*tiers: tuple[int, int | Share | None]) -> ProviderCap:
    return ProviderCap(tuple(LimitTier(*tier) for tier in tiers))


def fresh_route(the_policy: Policy) -> Route:
    """A route that no other test knows: tests share servers, never domains."""
    return Route(RouteId(f"n{next(_numbers)}.acme.example", "outbound"), the_policy)


@dataclass
class World:
    """One store, one clock, one route; the verbs with everything else filled in."""

    store: object
    clock: HandClock
    route: Route
    taken: list[Reservation] = field(default_factory=list)

    @property
    def window(self):
        return self.route.policy.window.at(self.clock.now())

    def follow(self, the_policy: Policy) -> None:
        """The policy is edited."""
        self.route = replace(self.route, policy=the_policy)

    def demand(
        self,
        sends: int,
        fingerprint: str | None = None,
        session: str = "i.1",
        split: Split = (),
        mail_class: MailClass = MailClass.MARKETING,
    ) -> Demand:
        reservation = f"res{next(_numbers)}"
        now, window = self.clock.now(), self.window
        names = (reservation, session, fingerprint, split, mail_class)
        return Demand(self.route, window, sends, now, *names)

    async def reserve(self, sends: int, *words, anew: bool = False, **more):
        return await self.store.reserve(self.demand(sends, *words, **more), anew=anew)

    async def granted(self, sends: int, *words, **more):
        found = await self.reserve(sends, *words, **more)
        assert isinstance(found, Granted), found
        await self.store.lasts(found.reservation)
        return found.reservation

    async def walled(self, sends: int, **more):
        found = await self.reserve(sends, **more)
        assert isinstance(found, Walled), found
        return found.wall

    async def settle(self, reservation: Reservation, verdict: Verdict) -> None:
        await self.store.settle(reservation, verdict, self.clock.now())

    async def send(self, sends: int, *words, **more) -> Reservation:
        reservation = await self.granted(sends, *words, **more)
        await self.settle(reservation, Verdict.SENT)
        return reservation

    async def standing(self):
        return await self.store.standing(self.route, self.window)

    async def to(self, verb: str, mail_class: MailClass = MailClass.MARKETING, **split: int):
        """`verb` with a message to so many recipients at each provider."""
        sends = sum(split.values())
        words = {"split": tuple(split.items()), "mail_class": mail_class}
        return await getattr(self, verb)(sends, **words)
