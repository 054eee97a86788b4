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

from relay.core.policy.window import Window
from relay.core.quota.history import Past
from relay.core.quota.reservation import (
    Answer,
    Demand,
    Elsewhere,
    Granted,
    Mark,
    Part,
    Reservation,
    Seen,
    Standing,
    Verdict,
    Walled,
    process_of,
    room_left,
    wall_before,
)
from relay.core.tenants.tenancy import Route, RouteId
from relay.ports import Clock
from relay.store.answers import parts_of, reservation_for
from relay.store.calls import LEFT_MS, TAKEN_MS
from relay.store.demands import UNDER_WAY_MS
from relay.store.remembered import RememberedRoute
from relay.store.slices import epoch_ms, from_epoch_ms


@dataclass(slots=True)
class _Memory:
    mark: Mark
    expires_ms: int


@dataclass(slots=True)
class _Kept:
    """The route that a campaign keeps to, for the charges that stand."""

    upstream: str
    until_ms: int
    charges: set[str]


class MemoryStore:
    """`ports.QuotaStore` in this process's memory. Never raises StoreTrouble."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._routes: defaultdict[RouteId, RememberedRoute] = defaultdict(RememberedRoute)
        self._memory: defaultdict[tuple[str, str], dict[str, _Memory]] = defaultdict(dict)
        self._campaigns: dict[tuple[str, str], _Kept] = {}
        self._open: defaultdict[tuple[str, str], dict[str, int]] = defaultdict(dict)

    async def reserve(self, demand: Demand, *, anew: bool = False) -> Answer:
        """See `ports.QuotaStore`."""
        message = (demand.route.id.domain, demand.fingerprint or "")
        if not anew and (marks := self._marks(message, demand.now)):
            return Seen(marks)
        kept = self._kept(demand)
        if kept and kept.upstream != demand.route.id.upstream:
            return Elsewhere(kept.upstream)
        standing = self._of_demand(demand)
        wall = wall_before(
            demand.route, demand.window, standing, demand.count, demand.split, demand.mail_class
        )
        if wall:
            return Walled(wall, is_kept=kept is not None)
        self._routes[demand.route.id].charge(demand)
        self._keep(demand, kept)
        left = room_left(demand.route, demand.window, self._of_demand(demand))
        return Granted(reservation_for(demand), left, is_contested=self._begin(demand))

    def _begin(self, demand: Demand) -> bool:
        """Whether another process had the message under way. Nobody is here to be waited for."""
        if demand.fingerprint is None:
            return False
        message = demand.route.id.domain, demand.fingerprint
        others = self._open[message]
        own, now_ms = process_of(demand.session), epoch_ms(demand.now)
        is_contested = any(
            process_of(other) != own and until_ms > now_ms for other, until_ms in others.items()
        )
        if demand.session not in self._memory[message]:
            others.setdefault(demand.session, now_ms + UNDER_WAY_MS)
        return is_contested

    async def lasts(self, reservation: Reservation) -> None:
        """See `ports.QuotaStore`. Nothing here outlives the process."""

    def says_at_once(self) -> bool:
        """See `ports.QuotaStore`."""
        return True

    async def divide(self, whole: Reservation, parts: Sequence[Part]) -> list[Reservation]:
        """See `ports.QuotaStore`."""
        charges = self._routes[whole.route].charges
        charge = charges.get(whole.id)
        if charge is not None and charge.verdict is None:
            assert sum(part.count for part in parts) == charge.count
            del charges[whole.id]
            for part in parts:
                charges[part.id] = replace(charge, count=part.count, split=part.split)
            self._divide(whole, parts)
        return parts_of(whole, parts)

    async def settle(self, reservation: Reservation, verdict: Verdict, now: datetime) -> None:
        """See `ports.QuotaStore`."""
        route = self._routes[reservation.route]
        charge = route.charges.get(reservation.id)
        if charge is None or charge.verdict or charge.window != reservation.window:
            return
        charge.verdict = verdict
        self._open[_message(reservation)].pop(reservation.session, None)
        left = self._forget(reservation, Mark.LEFT)
        if verdict is Verdict.SENT:
            route.count_as_sent(charge, _whole_ms(now))
            mark = Mark.GONE if left else Mark.TAKEN
            self._remember(reservation, mark, epoch_ms(now) + TAKEN_MS)
        if verdict is Verdict.REFUND:
            self._release(reservation)

    async def left(self, reservation: Reservation) -> None:
        """See `ports.QuotaStore`."""
        held = self._memory[_message(reservation)].get(reservation.session)
        if held and held.mark is Mark.TAKEN:
            held.mark = Mark.GONE
        charge = self._routes[reservation.route].charges.get(reservation.id)
        if held is None and charge is not None and charge.verdict is None:
            self._remember(reservation, Mark.LEFT, epoch_ms(self._clock.now()) + LEFT_MS)
            self._open[_message(reservation)].pop(reservation.session, None)

    async def heard(self, reservation: Reservation) -> None:
        """See `ports.QuotaStore`."""
        self._memory[_message(reservation)].pop(reservation.session, None)
        self._open[_message(reservation)].pop(reservation.session, None)

    async def attempts(
        self,
        domain: str,
        fingerprints: Sequence[str],
        session: str,  # noqa: ARG002
        now: datetime,
    ) -> list[dict[str, Mark]]:
        """See `ports.QuotaStore`. No other process is here to be waited for."""
        return [self._marks((domain, name), now) for name in fingerprints]

    async def standing(self, route: Route, window: Window) -> Standing:
        """See `ports.QuotaStore`."""
        return self._standing(route, window, self._clock.now())

    async def standings(self, wanted: list[tuple[Route, Window]]) -> list[Standing]:
        """See `ports.QuotaStore`."""
        return [await self.standing(route, window) for route, window in wanted]

    async def start(self, route: RouteId, now: datetime) -> bool:
        """See `ports.QuotaStore`."""
        held = self._routes[route]
        if held.first_day is not None or held.started_at is not None:
            return False
        held.started_at = _whole_ms(now)
        return True

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

    def _kept(self, demand: Demand) -> _Kept | None:
        campaign = demand.campaign
        if campaign is None:
            return None
        found = self._campaigns.get((demand.route.id.domain, campaign.digest))
        if found is None or found.until_ms <= epoch_ms(demand.now):
            return None
        return found if found.upstream in campaign.upstreams else None

    def _keep(self, demand: Demand, kept: _Kept | None) -> None:
        campaign = demand.campaign
        if campaign is not None:
            charges = {*(kept.charges if kept else ()), demand.reservation}
            until_ms = epoch_ms(demand.now) + campaign.keep_s * 1000
            route = demand.route.id
            name = (route.domain, campaign.digest)
            self._campaigns[name] = _Kept(route.upstream, until_ms, charges)

    def _divide(self, whole: Reservation, parts: Sequence[Part]) -> None:
        held = self._campaigns.get((whole.route.domain, whole.campaign or ""))
        if held and whole.id in held.charges:
            held.charges.remove(whole.id)
            held.charges.update(part.id for part in parts)

    def _release(self, reservation: Reservation) -> None:
        name = (reservation.route.domain, reservation.campaign or "")
        held = self._campaigns.get(name)
        if held and reservation.id in held.charges:
            held.charges.remove(reservation.id)
            if not held.charges:
                del self._campaigns[name]

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
