"""A route going along its ramp, a day at a time: what `plan` and forecasts are made of.

The arithmetic is that of the live quota (`standing.py`, `bounds.py`, `policy/pacing.py`), over a
`Standing` that is moved on as a store would move it. Whole days only: a rolling window is
taken as its day, because what is sent at one time of a day has left it a day and a quarter of
an hour later.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Final

from relay.core.policy.pacing import HourlyShare, opens_by_end
from relay.core.policy.policy import MailClass, Policy
from relay.core.policy.ramp import Cap, lowest
from relay.core.policy.window import SLICE_S, CalendarDay, Window
from relay.core.quota.bounds import WallKind, bounds_on
from relay.core.quota.standing import (
    Leaving,
    Standing,
    Tally,
    after_idling,
    cap_of,
    progress,
    provider_cap_of,
)
from relay.core.tenants.tenancy import Route, RouteId

_SLICE: Final = timedelta(seconds=SLICE_S)


@dataclass(frozen=True, slots=True)
class Room:
    """What may still go in a day: in all, and to each provider. None is unlimited."""

    total: Cap
    providers: dict[str, Cap]


@dataclass(slots=True)
class Course:
    """Where a route stands on one day. `window` is that day, from `since` on."""

    route: Route
    window: Window
    standing: Standing
    since: datetime

    @property
    def policy(self) -> Policy:
        """The policy that it follows."""
        return self.route.policy

    @property
    def cap(self) -> Cap:
        """The day's cap by the ramp; None is unlimited."""
        return cap_of(self.policy, self.window, self.standing)

    @property
    def is_off(self) -> bool:
        """Whether nothing is sent, whatever the cap: a day off, or one that the zone skips."""
        if self.window.opens_at == self.window.closes_at:
            return True
        return self.standing.graduated_at is None and self.policy.is_off(self.window.date)

    def provider_cap(self, provider: str) -> Cap:
        """The day's cap of `provider`; None where it has no wall of its own."""
        return provider_cap_of(self.policy, self.window, self.standing, provider)

    def room(self, providers: Iterable[str], mail_class: MailClass | None) -> Room:
        """What may still go today, of mail of `mail_class`; None: whatever the class."""
        names = tuple(providers)
        room: dict[str | None, Cap] = dict.fromkeys((None, *names))
        split = tuple((name, 0) for name in names)
        for bound in bounds_on(self.route, self.window, self.standing, 0, split, mail_class):
            if bound.kind is not WallKind.HOUR:  # of an instant; the day's is below
                room[bound.provider] = _lower(room[bound.provider], bound.limit - bound.used)
        room[None] = 0 if self.is_off else _lower(room[None], self._opens())
        return Room(room[None], {name: room[name] for name in names})

    def pass_day(self, sent: int) -> None:
        """The day ends, after `sent` more sends; the next one begins."""
        held = self._counted(sent) if sent else self.standing
        ended_today = held.last_day == self.window.day
        after = replace(
            held,
            charged=0, sent=0, unknown=0, transactional=0, paced=0, providers={}, leaving=(),
            lifetime_open=held.lifetime,
            sending_days=held.sending_days + ended_today,
            qualified_days=held.qualified_days + (ended_today and self._qualifies(held.sent)),
        )  # fmt: skip
        self.window = _day_of(self.policy, self.window.date + timedelta(days=1))
        self.standing = after_idling(self.policy, self.window, after)
        self.since = self.window.opens_at

    def place(self) -> tuple[object, ...]:
        """All of the standing that coming days depend on."""
        policy, standing = self.policy, self.standing
        at = progress(policy, self.window, standing)
        last = [policy.ramp.tiers[-1].start]
        last += [rule.tiers[-1].start for rule in policy.providers.values()]
        is_done = standing.graduated_at is not None or at >= max(last)
        gap = 0
        if policy.idle and standing.last_day is not None:
            gap = min(self.window.day - standing.last_day, policy.idle.after_days + 1)
        return None if is_done else at, gap

    def _counted(self, sent: int) -> Standing:
        held, day = self.standing, self.window.day
        at, counts_days = progress(self.policy, self.window, held), self.policy.ramp.advance
        return replace(
            held,
            sent=held.sent + sent,
            lifetime=held.lifetime + sent,
            first_day=day if held.first_day is None else held.first_day,
            last_day=day,
            last_days=at if counts_days.counts_days else None,
            last_sends=None if counts_days.counts_days else at,
        )

    def _qualifies(self, sent: int) -> bool:
        return sent >= self.policy.ramp.qualifies_from(self.cap)

    def _opens(self) -> Cap:
        """What smoothing lets go from now to the end of the day."""
        policy, cap = self.policy, self.cap
        if cap is None:
            return None
        opened = opens_by_end(policy.smoothing, policy.window, self.window, cap, self.since)
        if opened is None:
            return None
        is_hourly = isinstance(policy.smoothing, HourlyShare)
        return opened - (self.standing.paced if is_hourly else self.standing.charged)


def from_foot(policy: Policy, start: date) -> Course:
    """A route that has never sent, on the day `start` of the policy's zone."""
    route = Route(RouteId("plan", "plan"), policy)
    window = _day_of(policy, start)
    return Course(route, window, Standing(), window.opens_at)


def from_standing(route: Route, window: Window, standing: Standing, now: datetime) -> Course:
    """A route as it stands `now` in `window`; one that is paused is taken as resumed."""
    day = _day_of(route.policy, window.date)
    held = replace(standing, paused_at=None, reason="")
    if window.slides:
        held = _only_today(held, day)
    return Course(route, day, held, now)


def _day_of(policy: Policy, day: date) -> Window:
    return _day(policy.window.zone, policy.window.starts, day)


@lru_cache(maxsize=4096)  # the same days for every route of a policy; the zones' arithmetic is slow
def _day(zone: str, starts: time, day: date) -> Window:
    return CalendarDay(zone, starts).of(day)


def _only_today(standing: Standing, day: Window) -> Standing:
    """Without what a rolling window still holds of yesterday: that leaves before the day ends."""
    today: defaultdict[str | None, list[Leaving]] = defaultdict(list)
    for leaving in standing.leaving:
        if leaving.at > day.closes_at + _SLICE:
            today[leaving.provider].append(leaving)
    names = [name for name in standing.providers if name in today]
    route = _only(standing.tally(), today[None])
    return replace(
        standing,
        charged=route.charged,
        sent=route.sent,
        unknown=route.unknown,
        transactional=route.transactional,
        providers={name: _only(standing.tally(name), today[name]) for name in names},
        leaving=(),
    )


def _only(tally: Tally, held: Sequence[Leaving]) -> Tally:
    charged = sum(each.count for each in held)
    sent = min(tally.sent, charged)
    unknown = min(tally.unknown, charged - sent)
    return Tally(charged, sent, unknown, sum(each.transactional for each in held))


def _lower(one: Cap, other: Cap) -> Cap:
    """The lower one, which is no room at all where it is below 0."""
    found = lowest(one, other)
    return None if found is None else max(0, found)
