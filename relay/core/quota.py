"""What a policy means for a number of sends: the arithmetic of DESIGN §4.

`Standing` is what a store knows of a route in one window; every number that a client, a
page or a metric shows is computed here from a policy and a standing, and nowhere else. The
Lua scripts do the same sum where it must be atomic; the contract tests hold both against
each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from relay.core.policy import EXEMPT, Policy
from relay.core.ramp import Advance, Cap, Tier
from relay.core.tenancy import Route, RouteId
from relay.core.window import Window


class State(StrEnum):
    """The states of a route (DESIGN §2)."""

    PENDING = "pending"
    WARMING = "warming"
    WARMED = "warmed"
    PAUSED = "paused"
    EXEMPT = "exempt"


@dataclass(frozen=True, slots=True)
class Standing:
    """One route in one window, as the store has it at one instant.

    Counts are recipients. `charged` is everything taken from the cap: `sent`, `unknown`
    (outcome never learned) and what is in flight. `first_day` is the ordinal of the day of
    the first send in the policy's zone, None before it. `lifetime` counts sends since the
    first one or the last restart; `lifetime_open` is its value when the window opened.
    `unheard` counts upstream acceptances whose client has not been seen to hear of them.
    """

    charged: int = 0
    sent: int = 0
    unknown: int = 0
    first_day: int | None = None
    first_at: datetime | None = None
    lifetime: int = 0
    lifetime_open: int = 0
    graduated_at: datetime | None = None
    paused_at: datetime | None = None
    reason: str = ""
    unheard: int = 0

    @property
    def reserved(self) -> int:
        """Sends in flight, or lost in flight by a crash."""
        return self.charged - self.sent - self.unknown


def progress(policy: Policy, window: Window, standing: Standing) -> int:
    """How far up the ramp the route is: whole days, or lifetime sends at the window's opening."""
    if policy.ramp.advance is Advance.LIFETIME_SENDS:
        return standing.lifetime_open
    return warmup_day(window, standing)


def warmup_day(window: Window, standing: Standing) -> int:
    """Days since the first send; 0 on its day, before it, and for a clock set back."""
    return 0 if standing.first_day is None else max(0, window.day - standing.first_day)


def cap_of(policy: Policy, window: Window, standing: Standing) -> Cap:
    """The cap of the route in this window; None is unlimited."""
    if standing.graduated_at is not None:
        return None
    return policy.ramp.tier_at(progress(policy, window, standing)).cap


def remaining(cap: Cap, standing: Standing) -> Cap:
    """What may still be reserved in this window; None is unlimited."""
    return None if cap is None else max(0, cap - standing.charged)


def state_of(route: Route, window: Window, standing: Standing) -> State:
    """The state of the route."""
    if standing.paused_at is not None:
        return State.PAUSED
    if route.policy is EXEMPT:
        return State.EXEMPT
    if cap_of(route.policy, window, standing) is None:
        return State.WARMED
    return State.PENDING if standing.first_day is None else State.WARMING


def warmed_on(policy: Policy, window: Window, standing: Standing) -> date | None:
    """The first day without a cap, where the policy alone decides it (calendar ramps)."""
    threshold = policy.ramp.warmed_at()
    if threshold is None or policy.ramp.advance is not Advance.CALENDAR_DAYS:
        return None
    first = window.day if standing.first_day is None else standing.first_day
    return date.fromordinal(first) + timedelta(days=threshold)


def next_tier(policy: Policy, window: Window, standing: Standing) -> Tier | None:
    """The next tier above today's; a lifetime threshold already crossed is tomorrow's."""
    if standing.graduated_at is not None:
        return None
    return policy.ramp.next_tier(progress(policy, window, standing))


def fits_on(policy: Policy, window: Window, standing: Standing, sends: int) -> date | None:
    """The day on which `sends` at once will fit, or None where that is not a matter of days."""
    tier = policy.ramp.first_fitting(sends)
    if tier is None or policy.ramp.advance is not Advance.CALENDAR_DAYS:
        return None
    first = window.day if standing.first_day is None else standing.first_day
    return date.fromordinal(max(window.day, first + tier.start))


class WallKind(StrEnum):
    """What stopped a message; the label `wall` of `relay_deferrals_total`."""

    DOMAIN = "domain"
    MESSAGE = "message"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class Wall:
    """The wall that a message hit: all that a reply, a page or a metric says of it.

    `used` of `limit` sends; `opens_at` is when the wall opens (None: when somebody resumes
    the route). `wanted` is what the message asked for.
    """

    kind: WallKind
    route: Route
    window: Window
    standing: Standing
    wanted: int

    @property
    def limit(self) -> Cap:
        """The cap of the window."""
        return cap_of(self.route.policy, self.window, self.standing)

    @property
    def opens_at(self) -> datetime | None:
        """When the wall opens; None while a route is paused."""
        return None if self.kind is WallKind.PAUSED else self.window.closes_at


def wall_before(route: Route, window: Window, standing: Standing, wanted: int) -> Wall | None:
    """The wall in the way of `wanted` (≥ 1) more sends, or None where they may go."""
    if standing.paused_at is not None:
        return Wall(WallKind.PAUSED, route, window, standing, wanted)
    cap = cap_of(route.policy, window, standing)
    if cap is None or standing.charged + wanted <= cap:
        return None
    kind = WallKind.MESSAGE if wanted > cap else WallKind.DOMAIN
    return Wall(kind, route, window, standing, wanted)


@dataclass(frozen=True, slots=True)
class Demand:
    """What one message asks of the store: `count` sends of `route` in `window`.

    `reservation` is a new id, unique over all relays. `fingerprint` identifies the message
    for rule 3 (None: it carries no Message-ID and is never taken for a retry); `session`
    names the client's connection.
    """

    route: Route
    window: Window
    count: int
    now: datetime
    reservation: str
    session: str
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True)
class Reservation:
    """Quota that has been charged. Good for one `settle`."""

    id: str
    route: RouteId
    window: Window
    count: int
    session: str
    fingerprint: str | None


class Verdict(StrEnum):
    """What became of a reservation."""

    SENT = "sent"
    """The upstream took every recipient."""
    REFUND = "refund"
    """Proven: the upstream took none."""
    UNKNOWN = "unknown"
    """Nobody knows; stays charged, and moves no ramp."""


class Mark(StrEnum):
    """What the store remembers of an earlier attempt at a message (rule 3)."""

    TAKEN = "taken"
    """The upstream took it; when that was noted the client's connection stood."""
    GONE = "gone"
    """The upstream took it, and the client's connection was lost before it heard so."""
    LEFT = "left"
    """The client's connection was lost while the upstream was still being asked."""


@dataclass(frozen=True, slots=True)
class Granted:
    """The reservation stands and is charged. `standing` is as of after it."""

    reservation: Reservation
    standing: Standing


@dataclass(frozen=True, slots=True)
class Walled:
    """Nothing was charged: this is the wall."""

    wall: Wall


@dataclass(frozen=True, slots=True)
class Seen:
    """Nothing was charged: earlier attempts at this message, as session → mark."""

    marks: dict[str, Mark]
