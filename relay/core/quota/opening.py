"""When a message may pass: the first instant at which none of its policy's limits is in the way.

Goes from opening to opening. At each of them the route is taken as it will stand if nothing more
is sent until then, and what is still in the way says where to look next: a full day opens with
the next one, of whose cap smoothing may have opened little yet. The limits themselves are
`bounds.py`, the days `course.py`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Final

from relay.core.policy.pacing import HourlyShare, first_open, pace_at
from relay.core.policy.policy import Policy
from relay.core.policy.window import Rolling24h, Window
from relay.core.quota.bounds import Bound, WallKind
from relay.core.quota.course import from_standing
from relay.core.quota.standing import Leaving, Standing, Tally, cap_of, progress
from relay.core.tenants.tenancy import Route

MOST_STEPS: Final = 64
"""Openings that are looked at; where the message passes none of them, the first one is told."""

Passed = Callable[[Window, Standing], Sequence[Bound]]
"""What the message would pass of its limits, on a route that stands so."""


def opening(route: Route, window: Window, standing: Standing, passed: Passed) -> datetime:
    """The first instant, from that of `standing` on, at which nothing is in the way.

    `standing` is of a route that is not paused.
    """
    ahead = _Ahead(route, window, standing)
    first = at = _next(route.policy, window, standing, passed) or standing.at
    for _ in range(MOST_STEPS):
        later = _next(route.policy, *ahead.at(at), passed)
        if later is None:
            return at
        at = later
    return first


def _next(policy: Policy, window: Window, standing: Standing, passed: Passed) -> datetime | None:
    """When there may be more room than there is; None where nothing is in the way."""
    if standing.graduated_at is None and policy.is_off(window.date):
        return _next_day(policy, window)
    bounds = passed(window, standing)
    opens = max((_opens(policy, window, standing, bound) for bound in bounds), default=None)
    if opens is None or not window.slides:
        return opens
    return min(opens, _climbs(policy, window, standing, opens))


def _next_day(policy: Policy, window: Window) -> datetime:
    """When the next day begins that is no day off; what smoothing leaves open is looked at then."""
    day = policy.working_day(date.fromordinal(window.day + 1))
    return max(first_open(None, policy.window, day), window.closes_at)


def next_opening(policy: Policy, window: Window) -> datetime:
    """When the sends of the next day begin that is no day off."""
    day = policy.working_day(date.fromordinal(window.day + 1))
    return max(first_open(policy.smoothing, policy.window, day), window.closes_at)


class _Ahead:
    """A route at later and later instants, if nothing more is sent over it."""

    def __init__(self, route: Route, window: Window, standing: Standing) -> None:
        self._form, self._smoothing = route.policy.window, route.policy.smoothing
        self._today, self._now = window, standing
        self._course = from_standing(route, window, standing, standing.at)

    def at(self, instant: datetime) -> tuple[Window, Standing]:
        """The window of `instant`, and how the route will stand; never before the last one."""
        while self._course.window.closes_at <= instant:
            self._course.pass_day(0)
        # Not `at` of the form, which remembers the window that all other messages are in.
        window = self._course.window
        stands = self._course.standing if window.day > self._today.day else self._now
        if isinstance(self._form, Rolling24h):
            window = self._form.within(window.day, instant)
            stands = _held(stands, self._now, instant)
        return window, replace(stands, paced=self._paced(window, instant), at=instant)

    def _paced(self, window: Window, instant: datetime) -> int:
        """What is charged in the span of the smoothing: nothing, once that is another one."""
        now = pace_at(self._smoothing, self._form, self._today, self._now.at)
        then = pace_at(self._smoothing, self._form, window, instant)
        if now is None or then is None or now.until <= then.since:
            return 0
        return self._now.paced


def _held(stands: Standing, now: Standing, instant: datetime) -> Standing:
    """`stands`, with what a rolling window will still hold at `instant` of what it holds now."""
    gone: defaultdict[str | None, list[Leaving]] = defaultdict(list)
    for leaving in now.leaving:
        if leaving.at <= instant:
            gone[leaving.provider].append(leaving)
    left = _less(now.tally(), gone[None])
    return replace(
        stands,
        charged=left.charged,
        transactional=left.transactional,
        # Of a rolling window the lifetime is that before the sends that it holds.
        lifetime_open=max(0, stands.lifetime - max(0, now.sent - (now.charged - left.charged))),
        providers={name: _less(tally, gone[name]) for name, tally in now.providers.items()},
        leaving=tuple(leaving for leaving in now.leaving if leaving.at > instant),
    )


def _less(tally: Tally, gone: Sequence[Leaving]) -> Tally:
    charged = max(0, tally.charged - sum(each.count for each in gone))
    theirs = max(0, tally.transactional - sum(each.transactional for each in gone))
    return replace(tally, charged=charged, transactional=theirs)


def _opens(policy: Policy, window: Window, standing: Standing, bound: Bound) -> datetime:
    """When `bound` is next another one, or enough has left it; later than `standing.at`."""
    after = _next_day(policy, window)
    if bound.kind is WallKind.HOUR:
        return _pace_reaches(policy, window, standing, bound, after)
    return min(after, _leaves(standing, bound, after)) if window.slides else after


def _pace_reaches(
    policy: Policy, window: Window, standing: Standing, bound: Bound, after: datetime
) -> datetime:
    cap, pace = cap_of(policy, window, standing), None
    if cap is not None:
        pace = pace_at(policy.smoothing, policy.window, window, standing.at)
    if cap is None or pace is None:
        return after
    if isinstance(policy.smoothing, HourlyShare) and bound.wanted > bound.limit:
        return after  # no hour of this day is wide enough
    opens = pace.reaches(bound.used + bound.wanted, cap)
    ends_first = opens >= window.closes_at and not window.slides
    return max(opens, after) if ends_first else opens


def _leaves(standing: Standing, bound: Bound, after: datetime) -> datetime:
    """When so much has left a rolling window that `bound` is passed no more."""
    missing = bound.used + bound.wanted - bound.limit
    return _gone(standing, bound.provider, missing) or after


def _climbs(policy: Policy, window: Window, standing: Standing, after: datetime) -> datetime:
    """When so much has left a rolling window that a ramp of lifetime sends is a tier further up."""
    if policy.ramp.advance.counts_days:
        return after
    starts = [tier.start for tier in policy.ramp.tiers]
    starts += [tier.start for rule in policy.providers.values() for tier in rule.tiers]
    at = progress(policy, window, standing)
    ahead = [start - at for start in starts if start > at]
    return (_gone(standing, None, min(ahead)) if ahead else None) or after


def _gone(standing: Standing, provider: str | None, count: int) -> datetime | None:
    """When `count` charges have left a rolling window; None where it does not hold so many."""
    for leaving in standing.leaving:
        count -= leaving.count if leaving.provider == provider else 0
        if count <= 0:
            return leaving.at
    return None
