"""The reference model of `ports.QuotaStore`: what is remembered of routes and of messages.

For tests, which hold the scripts against it: nothing here is cached, shared, expired or
fast, so that it is plain to see that it is right. All arithmetic is `core.quota`; one route's
charges are `remembered.py`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import datetime

from relay.core.history import Past
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
from relay.store.answers import reservation_for
from relay.store.calls import LEFT_MS, TAKEN_MS
from relay.store.remembered import RememberedRoute
from relay.store.slices import epoch_ms, from_epoch_ms


@dataclass(slots=True)
class _Memory:
    mark: Mark
    expires_ms: int


class MemoryStore:
    """`ports.QuotaStore` in this process's memory. Never raises StoreTrouble."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._routes: defaultdict[RouteId, RememberedRoute] = defaultdict(RememberedRoute)
        self._memory: defaultdict[tuple[str, str], dict[str, _Memory]] = defaultdict(dict)

    async def reserve(self, demand: Demand, *, anew: bool = False) -> Granted | Walled | Seen:
        """See `ports.QuotaStore`."""
        message = (demand.route.id.domain, demand.fingerprint or "")
        if not anew and (marks := self._marks(message, demand.now)):
            return Seen(marks)
        standing = self._of_demand(demand)
        wall = wall_before(
            demand.route, demand.window, standing, demand.count, demand.split, demand.mail_class
        )
        if wall:
            return Walled(wall)
        self._routes[demand.route.id].charge(demand)
        after = replace(self._of_demand(demand), leaving=())
        return Granted(reservation_for(demand), after)

    async def settle(self, reservation: Reservation, verdict: Verdict, now: datetime) -> None:
        """See `ports.QuotaStore`."""
        route = self._routes[reservation.route]
        charge = route.charges.get(reservation.id)
        if charge is None or charge.verdict or charge.window != reservation.window:
            return
        charge.verdict = verdict
        left = self._forget(reservation, Mark.LEFT)
        if verdict is Verdict.SENT:
            route.count_as_sent(charge, _whole_ms(now))
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

    async def attempts(
        self, route: RouteId, fingerprints: Sequence[str], now: datetime
    ) -> list[dict[str, Mark]]:
        """See `ports.QuotaStore`."""
        return [self._marks((route.domain, name), now) for name in fingerprints]

    async def standing(self, route: Route, window: Window) -> Standing:
        """See `ports.QuotaStore`."""
        return self._standing(route, window, self._clock.now())

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
        return self._routes[route].restart()

    async def adopt(
        self, route: Route, past: Past, now: datetime, *, replaces: bool, dry: bool
    ) -> Standing | None:
        """See `ports.QuotaStore`."""
        held = self._routes[route.id]
        if held.has_sent and not replaces:
            return None
        after = deepcopy(held) if dry else held
        after.adopt(route.policy, past, now)
        window = route.policy.window.at(now)
        return after.standing(route.policy, window, now, self._unheard(route.id.domain, now))

    def _of_demand(self, demand: Demand) -> Standing:
        """The standing with no more providers than the demand's own, as the scripts answer."""
        found = self._standing(demand.route, demand.window, demand.now)
        names = {name for name, _ in demand.split}
        return replace(
            found,
            providers={name: t for name, t in found.providers.items() if name in names},
            leaving=tuple(each for each in found.leaving if each.provider in {None, *names}),
        )

    def _standing(self, route: Route, window: Window, now: datetime) -> Standing:
        unheard = self._unheard(route.id.domain, now)
        return self._routes[route.id].standing(route.policy, window, now, unheard)

    def _marks(self, message: tuple[str, str], now: datetime) -> dict[str, Mark]:
        held = self._memory[message]
        live = {s: m for s, m in held.items() if m.expires_ms > epoch_ms(now)}
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
