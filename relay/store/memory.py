"""The reference model of `ports.QuotaStore`: a list of charges, and sums over it.

For tests, which hold the scripts against it: nothing here is cached, shared, expired or
fast, so that it is plain to see that it is right. All arithmetic is `core.quota`.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime

from relay.core.quota import (
    Demand,
    Granted,
    Mark,
    Reservation,
    Seen,
    Standing,
    Verdict,
    Walled,
    wall_before,
)
from relay.core.tenancy import Route, RouteId
from relay.core.window import Window
from relay.ports import Clock
from relay.store.calls import LEFT_MS, TAKEN_MS, reservation_for
from relay.store.slices import Slice, epoch_ms, from_epoch_ms, slice_at


@dataclass(slots=True)
class _Charge:
    slice: Slice
    label: str
    count: int
    verdict: Verdict | None = None


@dataclass(slots=True)
class _Opened:
    lifetime: int
    restarts: int


@dataclass(slots=True)
class _Route:
    charges: dict[str, _Charge] = field(default_factory=dict)
    opened: dict[str, _Opened] = field(default_factory=dict)
    restarts: int = 0
    first_day: int | None = None
    first_at: datetime | None = None
    lifetime: int = 0
    graduated_at: datetime | None = None
    paused_at: datetime | None = None
    reason: str = ""

    def sum_in(self, window: Window, *verdicts: Verdict | None) -> int:
        """Recipients charged in `window` that ended in one of `verdicts` (None: in flight)."""
        charges = [c for c in self.charges.values() if c.verdict in verdicts]
        return sum(c.count for c in charges if c.slice.overlaps(window))

    def lifetime_open(self, window: Window) -> int:
        """The lifetime at the window's opening, as of its first charge; 0 after a restart."""
        opened = self.opened.get(window.label)
        if opened is None:
            return max(0, self.lifetime - self.sum_in(window, Verdict.SENT))
        return opened.lifetime if opened.restarts == self.restarts else 0


@dataclass(slots=True)
class _Memory:
    mark: Mark
    expires_ms: int


class MemoryStore:
    """`ports.QuotaStore` in this process's memory. Never raises StoreTrouble."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._routes: defaultdict[RouteId, _Route] = defaultdict(_Route)
        self._memory: defaultdict[tuple[str, str], dict[str, _Memory]] = defaultdict(dict)

    async def reserve(self, demand: Demand, *, anew: bool = False) -> Granted | Walled | Seen:
        """See `ports.QuotaStore`."""
        if not anew and (marks := self._marks(demand)):
            return Seen(marks)
        standing = self._standing(demand.route.id, demand.window, demand.now)
        if wall := wall_before(demand.route, demand.window, standing, demand.count):
            return Walled(wall)
        self._charge(demand)
        after = self._standing(demand.route.id, demand.window, demand.now)
        return Granted(reservation_for(demand), after)

    async def settle(self, reservation: Reservation, verdict: Verdict, now: datetime) -> None:
        """See `ports.QuotaStore`."""
        route = self._routes[reservation.route]
        charge = route.charges.get(reservation.id)
        if charge is None or charge.verdict or charge.label != reservation.window.label:
            return
        charge.verdict = verdict
        left = self._forget(reservation, Mark.LEFT)
        if verdict is Verdict.SENT:
            route.lifetime += charge.count
            if route.first_day is None:
                route.first_day, route.first_at = reservation.window.day, _whole_ms(now)
            mark = Mark.GONE if left else Mark.TAKEN
            self._remember(reservation, mark, epoch_ms(now) + TAKEN_MS)

    async def left(self, reservation: Reservation) -> None:
        """See `ports.QuotaStore`."""
        held = self._memory[_message(reservation)].get(reservation.session)
        if held and held.mark is Mark.TAKEN:
            held.mark = Mark.GONE
        charge = self._routes[reservation.route].charges.get(reservation.id)
        if held is None and charge is not None and charge.verdict is None:
            self._remember(reservation, Mark.LEFT, epoch_ms(self._clock.now()) + LEFT_MS)

    async def heard(self, reservation: Reservation) -> None:
        """See `ports.QuotaStore`."""
        self._memory[_message(reservation)].pop(reservation.session, None)

    async def standing(self, route: Route, window: Window) -> Standing:
        """See `ports.QuotaStore`."""
        return self._standing(route.id, window, self._clock.now())

    async def standings(self, wanted: list[tuple[Route, Window]]) -> list[Standing]:
        """See `ports.QuotaStore`."""
        return [await self.standing(route, window) for route, window in wanted]

    async def pause(self, route: RouteId, reason: str, now: datetime) -> bool:
        """See `ports.QuotaStore`."""
        held = self._routes[route]
        if held.paused_at is not None:
            return False
        held.paused_at, held.reason = _whole_ms(now), reason
        return True

    async def resume(self, route: RouteId) -> bool:
        """See `ports.QuotaStore`."""
        held = self._routes[route]
        was_paused = held.paused_at is not None
        held.paused_at, held.reason = None, ""
        return was_paused

    async def graduate(self, route: RouteId, now: datetime) -> bool:
        """See `ports.QuotaStore`."""
        held = self._routes[route]
        if held.graduated_at is not None:
            return False
        held.graduated_at = _whole_ms(now)
        return True

    async def restart(self, route: RouteId) -> bool:
        """See `ports.QuotaStore`."""
        held = self._routes[route]
        if held.first_day is None and held.graduated_at is None and not held.lifetime:
            return False
        held.first_day = held.first_at = held.graduated_at = None
        held.lifetime = 0
        held.restarts += 1
        return True

    def _charge(self, demand: Demand) -> None:
        route, window = self._routes[demand.route.id], demand.window
        lifetime_open = route.lifetime_open(window)
        route.opened[window.label] = _Opened(lifetime_open, route.restarts)
        slice_ = slice_at(demand.now, window)
        route.charges[demand.reservation] = _Charge(slice_, window.label, demand.count)

    def _standing(self, route_id: RouteId, window: Window, now: datetime) -> Standing:
        route = self._routes[route_id]
        sent = route.sum_in(window, Verdict.SENT)
        unknown = route.sum_in(window, Verdict.UNKNOWN)
        return Standing(
            charged=sent + unknown + route.sum_in(window, None),
            sent=sent,
            unknown=unknown,
            first_day=route.first_day,
            first_at=route.first_at,
            lifetime=route.lifetime,
            lifetime_open=route.lifetime_open(window),
            graduated_at=route.graduated_at,
            paused_at=route.paused_at,
            reason=route.reason,
            unheard=self._unheard(route_id.domain, now),
        )

    def _marks(self, demand: Demand) -> dict[str, Mark]:
        held = self._memory[demand.route.id.domain, demand.fingerprint or ""]
        live = {s: m for s, m in held.items() if m.expires_ms > epoch_ms(demand.now)}
        return {session: memory.mark for session, memory in live.items()}

    def _unheard(self, domain: str, now: datetime) -> int:
        kept = [m for key, held in self._memory.items() if key[0] == domain for m in held.values()]
        live = [m for m in kept if m.mark is not Mark.LEFT and m.expires_ms > epoch_ms(now)]
        return len(live)

    def _remember(self, reservation: Reservation, mark: Mark, expires_ms: int) -> None:
        if reservation.fingerprint is not None:
            held = self._memory[_message(reservation)]
            held[reservation.session] = _Memory(mark, expires_ms)

    def _forget(self, reservation: Reservation, mark: Mark) -> bool:
        held = self._memory[_message(reservation)]
        found = held.get(reservation.session)
        if found is None or found.mark is not mark:
            return False
        del held[reservation.session]
        return True


def _message(reservation: Reservation) -> tuple[str, str]:
    return reservation.route.domain, reservation.fingerprint or ""


def _whole_ms(instant: datetime) -> datetime:
    return from_epoch_ms(epoch_ms(instant))
