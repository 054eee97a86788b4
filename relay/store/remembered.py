"""One route of the reference model: every charge ever made, and sums over them.

Nothing is cached, shared or expired, so that it is plain to see that it is right. Belongs to
`memory.py`, which has the verbs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from relay.core.policy.pacing import pace_at
from relay.core.policy.policy import MailClass, Policy
from relay.core.policy.window import Window
from relay.core.quota.history import Past
from relay.core.quota.reservation import (
    Demand,
    Leaving,
    Split,
    Standing,
    Tally,
    Verdict,
    after_idling,
    cap_of,
    progress,
)
from relay.store.answers import in_order
from relay.store.pasts import Recent, recent_days
from relay.store.slices import Slice, slice_at

_TOLD: Final = (
    "first_day",
    "first_at",
    "lifetime",
    "last_day",
    "last_days",
    "last_sends",
    "base_days",
    "base_sends",
    "idled",
)
"""What a route takes over from a past as it stands there."""


@dataclass(slots=True)
class Charge:
    """One reservation. `verdict` is None while it is in flight."""

    slice: Slice
    window: Window
    count: int
    split: Split
    is_transactional: bool
    verdict: Verdict | None = None

    def sends(self, provider: str | None) -> int:
        """Its recipients: all of them, or those at a provider."""
        return self.count if provider is None else dict(self.split).get(provider, 0)


@dataclass(frozen=True, slots=True)
class Touched:
    """What is kept of a window: the lifetime at its opening, the rest as of its last grant."""

    lifetime: int
    restarts: int
    qualifies_from: int
    progress: int
    counts_days: bool


@dataclass(slots=True)
class RememberedRoute:
    """All that is known of a route."""

    charges: dict[str, Charge] = field(default_factory=dict)
    touched: dict[str, Touched] = field(default_factory=dict)
    sending: set[int] = field(default_factory=set)
    qualified: set[int] = field(default_factory=set)
    days: dict[int, int] = field(default_factory=dict)
    restarts: int = 0
    first_day: int | None = None
    first_at: datetime | None = None
    last_day: int | None = None
    last_days: int | None = None
    last_sends: int | None = None
    base_days: int = 0
    base_sends: int = 0
    idled: str = ""
    lifetime: int = 0
    graduated_at: datetime | None = None
    started_at: datetime | None = None
    paused_at: datetime | None = None
    reason: str = ""

    def charge(self, demand: Demand) -> None:
        """Take `demand`, for which there is room."""
        policy, window = demand.route.policy, demand.window
        held = self._held(policy, window, demand.now)
        standing = after_idling(policy, window, held)
        if standing is not held:
            self._go_idle(standing)
        self.touched[window.label] = Touched(
            standing.lifetime_open,
            self.restarts,
            policy.ramp.qualifies_from(cap_of(policy, window, standing)),
            progress(policy, window, standing),
            policy.ramp.advance.counts_days,
        )
        self.charges[demand.reservation] = Charge(
            slice_at(demand.now, window),
            window,
            demand.count,
            demand.split,
            demand.mail_class is MailClass.TRANSACTIONAL,
        )

    def _go_idle(self, standing: Standing) -> None:
        self.restart()
        self.base_days, self.base_sends = standing.base_days, standing.base_sends
        self.idled = standing.idled

    def count_as_sent(self, charge: Charge, now: datetime) -> None:
        """The upstream took `charge`, whose verdict says so already."""
        day, touched = charge.window.day, self.touched[charge.window.label]
        self.lifetime += charge.count
        if self.first_day is None:
            self.first_day, self.first_at = day, now
        if self.last_day is None or day >= self.last_day:
            self.last_day = day
            self.last_days = touched.progress if touched.counts_days else None
            self.last_sends = None if touched.counts_days else touched.progress
        self.sending.add(day)
        self.days[day] = self.days.get(day, 0) + charge.count
        if self.days[day] >= touched.qualifies_from:
            self.qualified.add(day)

    def restart(self) -> bool:
        """Forget the ramp; False if there was nothing to forget."""
        if not self._has_begun and self.started_at is None:
            return False
        self.started_at = None
        self.first_day = self.first_at = self.graduated_at = None
        self.last_day = self.last_days = self.last_sends = None
        self.lifetime = self.base_days = self.base_sends = 0
        self.idled = ""
        self.sending, self.qualified = set(), set()
        self.restarts += 1
        return True

    @property
    def has_sent(self) -> bool:
        """Whether there is anything that a past would replace."""
        return self._has_begun or any(True for _ in self._standing_charges())

    @property
    def _has_begun(self) -> bool:
        """Whether there is anything of a ramp to be forgotten."""
        marks = (self.first_day, self.graduated_at)
        return marks != (None, None) or bool(self.lifetime or self.base_days or self.base_sends)

    def adopt(self, policy: Policy, past: Past, now: datetime) -> None:
        """Take over `past`; see `ports.QuotaStore`."""
        self.restarts += self.has_sent
        window = policy.window.at(now)
        for day in recent_days(policy, past, now):
            self._count_anew(day, past.providers, window)
        for name in _TOLD:
            setattr(self, name, getattr(past.standing, name))
        self.graduated_at = None
        self.days, self.sending = dict(past.sends), set(past.sending)
        self.qualified = set(past.qualified)
        today = after_idling(policy, window, past.standing_in(window))
        self.touched[window.label] = Touched(
            max(0, self.lifetime - self._tally(window).sent),
            self.restarts,
            policy.ramp.qualifies_from(cap_of(policy, window, today)),
            progress(policy, window, today),
            policy.ramp.advance.counts_days,
        )

    def _count_anew(self, day: Recent, providers: Sequence[str], window: Window) -> None:
        def missing(provider: str | None) -> int:
            settled = [
                c.sends(provider)
                for c in self.charges.values()
                if c.verdict in {Verdict.SENT, Verdict.UNKNOWN}
                and day.from_s <= c.slice.from_s < day.to_s
            ]
            return max(0, day.sends - sum(settled))

        split = tuple((name, missing(name)) for name in providers)
        self.charges[f"adopted {len(self.charges)}"] = Charge(
            day.slice,
            window,
            missing(None),
            split,
            is_transactional=False,
            verdict=Verdict.SENT,
        )

    def standing(self, policy: Policy, window: Window, now: datetime, unheard: int) -> Standing:
        """The route as it stands; in a rolling window, with what leaves it."""
        held = self._held(policy, window, now, unheard)
        return after_idling(policy, window, held)

    def _held(self, policy: Policy, window: Window, now: datetime, unheard: int = 0) -> Standing:
        names = {name for charge in self.charges.values() for name, _ in charge.split}
        tallies = {name: self._tally(window, name) for name in sorted(names)}
        route = self._tally(window)
        return Standing(
            charged=route.charged,
            sent=route.sent,
            unknown=route.unknown,
            first_day=self.first_day,
            first_at=self.first_at,
            lifetime=self.lifetime,
            lifetime_open=self._lifetime_open(window),
            graduated_at=self.graduated_at,
            paused_at=self.paused_at,
            reason=self.reason,
            unheard=unheard,
            transactional=route.transactional,
            sending_days=sum(day < window.day for day in self.sending),
            qualified_days=sum(day < window.day for day in self.qualified),
            paced=self._paced(policy, window, now),
            last_day=self.last_day,
            last_days=self.last_days,
            last_sends=self.last_sends,
            base_days=self.base_days,
            base_sends=self.base_sends,
            idled=self.idled,
            providers={name: tally for name, tally in tallies.items() if tally.charged},
            leaving=self._leaving(window, [None, *names]) if window.slides else (),
            at=now,
        )

    def _standing_charges(self) -> Iterator[Charge]:
        return (c for c in self.charges.values() if c.verdict is not Verdict.REFUND)

    def _tally(self, window: Window, provider: str | None = None) -> Tally:
        inside = [c for c in self._standing_charges() if c.slice.overlaps(window)]
        return Tally(
            charged=sum(c.sends(provider) for c in inside),
            sent=sum(c.sends(provider) for c in inside if c.verdict is Verdict.SENT),
            unknown=sum(c.sends(provider) for c in inside if c.verdict is Verdict.UNKNOWN),
            transactional=sum(c.sends(provider) for c in inside if c.is_transactional),
        )

    def _paced(self, policy: Policy, window: Window, now: datetime) -> int:
        pace = pace_at(policy.smoothing, policy.window, window, now)
        if pace is None:
            return 0
        span = Window("", 0, pace.since, pace.until)
        return sum(c.count for c in self._standing_charges() if c.slice.overlaps(span))

    def _leaving(self, window: Window, names: list[str | None]) -> tuple[Leaving, ...]:
        inside = [c for c in self._standing_charges() if c.slice.overlaps(window)]
        return in_order(
            (c.slice.to_s, name, c.sends(name), c.sends(name) * c.is_transactional)
            for c in inside
            for name in names
        )

    def _lifetime_open(self, window: Window) -> int:
        """The lifetime at the window's opening, as of its first charge; 0 after a restart."""
        touched = self.touched.get(window.label)
        if touched is None:
            return max(0, self.lifetime - self._tally(window).sent)
        return touched.lifetime if touched.restarts == self.restarts else 0
