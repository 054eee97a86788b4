"""Where a route stands: what a store knows of it, and what its policy makes of that.

Every day, cap and state that a client, a page or a metric shows is computed here from a
policy and a `Standing`, and nowhere else. What stops a message is `walls.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Final

from relay.core.policy.policy import EXEMPT, IdleAction, Policy
from relay.core.policy.ramp import Advance, Cap, Tier
from relay.core.policy.window import Window
from relay.core.tenants.tenancy import Route
from relay.core.values import value

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class State(StrEnum):
    """The states of a route (DESIGN §2)."""

    PENDING = "pending"
    WARMING = "warming"
    WARMED = "warmed"
    PAUSED = "paused"
    EXEMPT = "exempt"


@value(frozen=True, slots=True)
class Tally:
    """Recipients of one window: of a route, or of one provider of it.

    `charged` is everything taken from the cap: `sent`, `unknown` (outcome never learned) and
    what is in flight. `transactional` is how much of it was mail of that class.
    """

    charged: int = 0
    sent: int = 0
    unknown: int = 0
    transactional: int = 0

    @property
    def reserved(self) -> int:
        """Sends in flight, or lost in flight by a crash."""
        return self.charged - self.sent - self.unknown


@dataclass(frozen=True, slots=True)
class Leaving:
    """`count` charges that leave a rolling window at `at`: all of them, or those of a provider.

    `transactional` of them are of that class.
    """

    at: datetime
    provider: str | None
    count: int
    transactional: int = 0


@value(frozen=True, slots=True)
class Standing:
    """One route in one window, as the store has it at the instant `at`.

    Counts are recipients, and mean what they do in `Tally`. `providers` are the same counts
    by provider. `paced` is what was charged in the span of the policy's smoothing, and
    `leaving` what a rolling window holds, in order.

    `first_day` and `last_day` are the ordinals of the days of the first and the last send in
    the policy's zone, None before them. `lifetime` counts sends since the first one or the
    last restart; `lifetime_open` is its value when the window opened. `sending_days` and
    `qualified_days` count the days before the window's own.

    After idleness the ramp may go on from `base_days` or `base_sends`, and `idled` says why;
    `last_days` or `last_sends` is how far up the ramp the last send was.

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
    transactional: int = 0
    sending_days: int = 0
    qualified_days: int = 0
    paced: int = 0
    last_day: int | None = None
    last_days: int | None = None
    last_sends: int | None = None
    base_days: int = 0
    base_sends: int = 0
    idled: str = ""
    providers: Mapping[str, Tally] = field(default_factory=dict)
    leaving: tuple[Leaving, ...] = ()
    at: datetime = field(default=_EPOCH, compare=False)

    @property
    def reserved(self) -> int:
        """Sends in flight, or lost in flight by a crash."""
        return self.charged - self.sent - self.unknown

    def tally(self, provider: str | None = None) -> Tally:
        """The counts of the route, or of one provider of it."""
        if provider is None:
            return Tally(self.charged, self.sent, self.unknown, self.transactional)
        return self.providers.get(provider, Tally())


def progress(policy: Policy, window: Window, standing: Standing) -> int:
    """How far up the ramp the route is: whole days, or lifetime sends at the window's opening."""
    match policy.ramp.advance:
        case Advance.LIFETIME_SENDS:
            return standing.base_sends + standing.lifetime_open
        case Advance.SENDING_DAYS:
            return standing.base_days + standing.sending_days
        case Advance.QUALIFIED_DAYS:
            return standing.base_days + standing.qualified_days
        case Advance.CALENDAR_DAYS:
            return standing.base_days + warmup_day(window, standing)


def warmup_day(window: Window, standing: Standing) -> int:
    """Days since the first send; 0 on its day, before it, and for a clock set back."""
    return 0 if standing.first_day is None else max(0, window.day - standing.first_day)


def cap_of(policy: Policy, window: Window, standing: Standing) -> Cap:
    """The cap of the route in this window; None is unlimited."""
    if standing.graduated_at is not None:
        return None
    return policy.ramp.tier_at(progress(policy, window, standing)).cap


def provider_cap_of(policy: Policy, window: Window, standing: Standing, provider: str) -> Cap:
    """The cap of `provider` in this window; None where it has no wall of its own."""
    rule = policy.provider_cap(provider)
    if rule is None or standing.graduated_at is not None:
        return None
    return rule.at(progress(policy, window, standing), cap_of(policy, window, standing))


def remaining(cap: Cap, counts: Standing | Tally) -> Cap:
    """What may still be reserved in this window; None is unlimited."""
    return None if cap is None else max(0, cap - counts.charged)


def state_of(route: Route, window: Window, standing: Standing) -> State:
    """The state of the route."""
    if standing.paused_at is not None:
        return State.PAUSED
    if route.policy.name == EXEMPT.name:  # the name is reserved; another process has a copy
        return State.EXEMPT
    if cap_of(route.policy, window, standing) is None:
        return State.WARMED
    return State.PENDING if standing.first_day is None else State.WARMING


def warmed_on(policy: Policy, window: Window, standing: Standing) -> date | None:
    """The first day without a cap, where the policy alone decides it (calendar ramps)."""
    threshold = policy.ramp.warmed_at()
    if threshold is None or policy.ramp.advance is not Advance.CALENDAR_DAYS:
        return None
    return date.fromordinal(_foot(policy, window, standing)) + timedelta(days=threshold)


def next_tier(policy: Policy, window: Window, standing: Standing) -> Tier | None:
    """The next tier above today's; a lifetime threshold already crossed is tomorrow's."""
    if standing.graduated_at is not None:
        return None
    return policy.ramp.next_tier(progress(policy, window, standing))


def reached_on(policy: Policy, window: Window, standing: Standing, threshold: int) -> date | None:
    """The day, from today on, of `threshold`; None where that is not a matter of days alone."""
    if policy.ramp.advance is not Advance.CALENDAR_DAYS:
        return None
    return date.fromordinal(max(window.day, _foot(policy, window, standing) + threshold))


def _foot(policy: Policy, window: Window, standing: Standing) -> int:
    """The day at which a calendar ramp was, or would have been, at 0.

    A route that has not sent is taken to do so on the first day that it may.
    """
    first = standing.first_day
    if first is None:
        begins = window.date + timedelta(days=_is_used_up(policy, window, standing))
        first = policy.working_day(begins).toordinal()
    return first - standing.base_days


def _is_used_up(policy: Policy, window: Window, standing: Standing) -> bool:
    """Whether nothing more goes today: a restart leaves counted what was sent before it.

    What is in flight may yet be the first send, and of a rolling window some leaves today.
    """
    cap, settled = cap_of(policy, window, standing), standing.sent + standing.unknown
    return cap is not None and settled >= cap and not window.slides


def after_idling(policy: Policy, window: Window, standing: Standing) -> Standing:
    """`standing` as the policy's `idle` has it: as it is, or back at the foot or a tier below.

    A store writes the same down at its next grant; until then everybody sees it through this.
    """
    idle = policy.idle
    if idle is None or standing.last_day is None:
        return standing
    days = window.day - standing.last_day
    if days <= idle.after_days:
        return standing
    is_restart = idle.action is IdleAction.RESTART
    base = 0 if is_restart else _one_below(policy, standing)
    return replace(
        standing,
        first_day=None,
        first_at=None,
        lifetime=0,
        lifetime_open=0,
        graduated_at=None,
        sending_days=0,
        qualified_days=0,
        last_day=None,
        last_days=None,
        last_sends=None,
        base_days=base if policy.ramp.advance.counts_days else 0,
        base_sends=0 if policy.ramp.advance.counts_days else base,
        idled=f"{'restarted' if is_restart else 'stepped back'}: {days} days without sends",
    )


def _one_below(policy: Policy, standing: Standing) -> int:
    """Where the tier below that of the last send starts; a graduate stood on the last one."""
    tiers, ramp = policy.ramp.tiers, policy.ramp
    last = standing.last_days if ramp.advance.counts_days else standing.last_sends
    stood = tiers[-1] if standing.graduated_at else ramp.tier_at(last or 0)
    return tiers[max(0, tiers.index(stood) - 1)].start
