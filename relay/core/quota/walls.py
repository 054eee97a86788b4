"""Walls: which limit stopped a message, and when it opens.

The limits are `bounds.py`; what a client is told of a wall is `wording.py`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from hashlib import blake2b
from typing import Final

from relay.core.policy.limits import part_of
from relay.core.policy.pacing import HourlyShare, Pace, first_open, pace_at
from relay.core.policy.policy import MailClass
from relay.core.policy.ramp import Cap, lowest
from relay.core.policy.window import Window
from relay.core.quota.bounds import Bound, Split, WallKind, bounds_on
from relay.core.quota.opening import next_opening, opening
from relay.core.quota.standing import Standing, cap_of, progress, reached_on
from relay.core.tenants.tenancy import Route

MOST_SPREAD: Final = timedelta(minutes=10)
"""How far apart the retries are of what one wall stopped."""

_EVEN_SPREAD: Final = 10
"""Where the cap opens bit by bit it is this part of the day instead."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a message asks of its route; see `bounds_on`."""

    count: int
    split: Split = ()
    mail_class: MailClass | None = None


@dataclass(frozen=True, slots=True)
class Wall:
    """The wall that a message hit: all that a reply, a page or a metric says of it.

    `wanted` is what the message asked of it. `bound` is None where the wall is no number: a
    pause, a day off. `asked` is all that the message asks; None where there is no message and
    only this wall is looked at.
    """

    kind: WallKind
    route: Route
    window: Window
    standing: Standing
    wanted: int
    bound: Bound | None = None
    asked: Asked | None = None

    @property
    def provider(self) -> str | None:
        """The provider whose wall it is."""
        return None if self.bound is None else self.bound.provider

    @property
    def used(self) -> int:
        """How many sends it has let through."""
        return self.standing.charged if self.bound is None else self.bound.used

    @property
    def limit(self) -> Cap:
        """The most that it lets through by now."""
        if self.bound is None:
            return cap_of(self.route.policy, self.window, self.standing)
        return self.bound.limit

    @property
    def pace(self) -> Pace | None:
        """The policy's smoothing at the instant of the standing."""
        policy = self.route.policy
        return pace_at(policy.smoothing, policy.window, self.window, self.standing.at)

    @property
    def opens_at(self) -> datetime | None:
        """When what was asked may pass, if nothing else is sent; None while a route is paused.

        Of a message that is too wide for the day: when the next one begins.
        """
        if self.kind is WallKind.PAUSED:
            return None
        if self.is_too_wide or self._needs_a_day_only:
            return next_opening(self.route.policy, self.window)
        return opening(self.route, self.window, self.standing, self._passed)

    @property
    def _needs_a_day_only(self) -> bool:
        """Whether any day has room for it at once: most mail, told without looking ahead."""
        is_whole = not self.window.slides and self.route.policy.smoothing is None
        return is_whole and (self.asked or _one_bound(self.bound)).count == 1

    def _passed(self, window: Window, standing: Standing) -> list[Bound]:
        """What would be in the way of it then."""
        asked = self.asked or _one_bound(self.bound)
        words = (asked.count, asked.split, asked.mail_class)
        found = bounds_on(self.route, window, standing, *words)
        only = None if self.asked or not self.bound else self.bound.which
        return [bound for bound in found if bound.is_passed and only in {None, bound.which}]

    @property
    def passable_at(self) -> datetime | None:
        """When the message may pass: `opens_at`, or the day it fits on; None if nobody knows."""
        if not self.is_too_wide:
            return self.opens_at
        policy, day = self.route.policy, self.fits_on
        return None if day is None else first_open(policy.smoothing, policy.window, day)

    def retry_at(self, seed: str) -> datetime | None:
        """`opens_at` and a while more, drawn from `seed`, so that not all return at once."""
        opens, spread = self.opens_at, MOST_SPREAD
        if opens is None:
            return None
        if self.kind is WallKind.HOUR and self.pace is not None and self.pace.line is not None:
            spread = (self.pace.until - self.pace.since) / _EVEN_SPREAD
        drawn = int.from_bytes(blake2b(seed.encode(), digest_size=4).digest(), "big")
        return opens + timedelta(seconds=drawn * int(spread.total_seconds()) >> 32)

    @property
    def is_too_wide(self) -> bool:
        """Whether the message alone is more than the wall lets through all of today."""
        most = self.most_today
        return self.bound is not None and most is not None and self.wanted > most

    @property
    def most_today(self) -> Cap:
        """The most at once that it lets through of what the message asks, if nothing was sent."""
        cap = cap_of(self.route.policy, self.window, self.standing)
        return self._most(progress(self.route.policy, self.window, self.standing), cap)

    @property
    def never_fits(self) -> bool:
        """Whether the message alone is more than the policy will ever let through."""
        ramp = self.route.policy.ramp
        stages = [(start, ramp.tier_at(start).cap) for start in self._thresholds()]
        return self.is_too_wide and not any(self._admits(*stage) for stage in stages)

    @property
    def most_ever(self) -> int:
        """The most at once that it will ever let through; meant for what never fits."""
        ramp = self.route.policy.ramp
        limits = [self._most(start, ramp.tier_at(start).cap) for start in self._thresholds()]
        return max((limit for limit in limits if limit is not None), default=0)

    @property
    def fits_from(self) -> int | None:
        """The threshold ahead from which a message that is too wide fits; None if none."""
        policy = self.route.policy
        at = progress(policy, self.window, self.standing)
        ahead = [start for start in self._thresholds() if start > at]
        admitting = (s for s in ahead if self._admits(s, policy.ramp.tier_at(s).cap))
        return next(admitting, None)

    @property
    def fits_on(self) -> date | None:
        """The day of `fits_from`, or the first working one after it; None if not days decide."""
        if self.fits_from is None:
            return None
        policy = self.route.policy
        day = reached_on(policy, self.window, self.standing, self.fits_from)
        return None if day is None else policy.working_day(day)

    def _thresholds(self) -> list[int]:
        policy = self.route.policy
        starts = {tier.start for tier in policy.ramp.tiers}
        rule = policy.provider_cap(self.provider) if self.provider else None
        return sorted(starts | ({tier.start for tier in rule.tiers} if rule else set()))

    def _admits(self, at: int, cap: Cap) -> bool:
        most = self._most(at, cap)
        return most is None or self.wanted <= most

    def _most(self, at: int, cap: Cap) -> Cap:
        """What the wall lets through in a whole window, where the ramp is `at` and has `cap`."""
        policy = self.route.policy
        rule = policy.provider_cap(self.provider) if self.provider else None
        most = cap if rule is None else lowest(rule.at(at, cap), cap)
        if most is None or self.bound is None:
            return most
        if self.bound.kept_for is not None:
            return most - part_of(most, policy.headroom_ppm[self.bound.kept_for])
        if self.kind is WallKind.HOUR and isinstance(policy.smoothing, HourlyShare) and self.pace:
            return self.pace.open_of(most)
        return most


def _one_bound(bound: Bound | None) -> Asked:
    """A message that `bound` would be in the way of, if any is."""
    if bound is None:
        return Asked(1)
    split = ((bound.provider, bound.wanted),) if bound.provider else ()
    others = [each for each in MailClass if bound.kept_for not in {None, each}]
    return Asked(bound.wanted, split, others[0] if others else None)


def wall_before(
    route: Route,
    window: Window,
    standing: Standing,
    wanted: int,
    split: Split = (),
    mail_class: MailClass | None = None,
) -> Wall | None:
    """The wall in the way of `wanted` (≥ 1) more sends, or None where they may go.

    Of several it is the one that the message never fits through, else the one that it is too
    wide for the longest, else the first. See `bounds_on` for `split` and `mail_class`.
    """
    asked = Asked(wanted, split, mail_class)
    if standing.paused_at is not None:
        return Wall(WallKind.PAUSED, route, window, standing, wanted, asked=asked)
    walls = []
    if standing.graduated_at is None and route.policy.is_off(window.date):
        walls += [Wall(WallKind.DAY_OFF, route, window, standing, wanted, asked=asked)]
    bounds = bounds_on(route, window, standing, wanted, split, mail_class)
    walls += [_wall(route, window, standing, bound, asked) for bound in bounds if bound.is_passed]
    return max(walls, key=_lasting, default=None)


def room_left(route: Route, window: Window, standing: Standing) -> Cap:
    """How many more sends `wall_before` finds no wall for, where only their number is known.

    None is any number.
    """
    policy = route.policy
    if standing.paused_at is not None:
        return 0
    if standing.graduated_at is not None:
        return None
    cap = cap_of(policy, window, standing)
    if policy.days_off and policy.is_off(window.date):
        return 0
    if cap is None:
        return None
    left = cap - standing.charged
    pace = pace_at(policy.smoothing, policy.window, window, standing.at)
    return max(0, left if pace is None else min(left, pace.open_of(cap) - standing.paced))


def _wall(route: Route, window: Window, standing: Standing, bound: Bound, asked: Asked) -> Wall:
    is_message = bound.kind is WallKind.DOMAIN and bound.wanted > bound.limit
    kind = WallKind.MESSAGE if is_message else bound.kind
    return Wall(kind, route, window, standing, bound.wanted, bound, asked)


def _lasting(wall: Wall) -> tuple[bool, float]:
    """How far up the ramp `wall` is in the way: for ever, to a threshold, or not beyond today.

    Where all caps that were wide enough are behind, for as long as the ramp goes.
    """
    if not wall.is_too_wide:
        return False, 0
    threshold = wall.fits_from
    return wall.never_fits, math.inf if threshold is None else threshold
