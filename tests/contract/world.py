"""Routes, clocks and demands for the tests of a store."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from itertools import count

from relay.core.policy import Policy
from relay.core.quota import Demand, Granted, Reservation, Verdict, Walled
from relay.core.ramp import Advance, Cap, Ramp, Tier
from relay.core.tenancy import Route, RouteId
from relay.core.window import CalendarDay

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
) -> Policy:
    ramp = Ramp(advance, tuple(Tier(start, cap) for start, cap in tiers or ((0, 50),)))
    return Policy("test", "", "", ramp, CalendarDay(zone, starts))


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

    def demand(self, sends: int, fingerprint: str | None = None, session: str = "i.1") -> Demand:
        reservation = f"res{next(_numbers)}"
        now = self.clock.now()
        return Demand(self.route, self.window, sends, now, reservation, session, fingerprint)

    async def reserve(self, sends: int, fingerprint=None, session="i.1", *, anew=False):
        return await self.store.reserve(self.demand(sends, fingerprint, session), anew=anew)

    async def granted(self, sends: int, fingerprint=None, session="i.1", *, anew=False):
        found = await self.reserve(sends, fingerprint, session, anew=anew)
        assert isinstance(found, Granted), found
        return found.reservation

    async def walled(self, sends: int):
        found = await self.reserve(sends)
        assert isinstance(found, Walled), found
        return found.wall

    async def settle(self, reservation: Reservation, verdict: Verdict) -> None:
        await self.store.settle(reservation, verdict, self.clock.now())

    async def send(self, sends: int, fingerprint=None, session="i.1") -> Reservation:
        reservation = await self.granted(sends, fingerprint, session)
        await self.settle(reservation, Verdict.SENT)
        return reservation

    async def standing(self):
        return await self.store.standing(self.route, self.window)
