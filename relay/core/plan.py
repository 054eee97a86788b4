"""What a policy would do with the mail of coming days, day by day.

The same ramp arithmetic as the live quota, over an imagined queue: every day's mail waits in
the client's queue until the cap lets it through, or until the client gives it up.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

from relay.core.policy import Policy
from relay.core.ramp import Advance, Cap

QUEUE_DAYS: Final = 5
"""How long MTAs keep trying (RFC 5321 §4.5.4.1: at least 4 to 5 days)."""

MOST_DAYS: Final = 730
LATEST_START: Final = date.max - timedelta(days=MOST_DAYS)


@dataclass(frozen=True, slots=True)
class PlanDay:
    """One day: `arrived` messages came, `sent` went out, `backlog` waits, `expired` were lost."""

    day: int
    date: date
    cap: Cap
    arrived: int
    sent: int
    backlog: int
    expired: int


@dataclass(frozen=True, slots=True)
class Plan:
    """A policy over some days. `clears_on` is the first day that ends without backlog for good.

    `settled`: every day after the last one would be like it, so that what has not come by
    then (`warmed_on`, `clears_on`) never does. `queue_days` is how long the client keeps a
    message that was deferred.
    """

    policy: str
    days: tuple[PlanDay, ...]
    warmed_on: date | None
    clears_on: date | None
    expired: int
    settled: bool
    queue_days: int

    @property
    def arrived(self) -> int:
        """All that came."""
        return sum(row.arrived for row in self.days)


def plan(
    policy: Policy,
    volumes: Sequence[int],
    start: date,
    *,
    goes_on: bool = True,
    queue_days: int = QUEUE_DAYS,
) -> Plan:
    """The plan of `policy` for `volumes` sends a day from `start` on.

    After them the last volume goes on for ever, or with `goes_on` false nothing more comes.
    The plan ends with the first day that all days after it would be like, or without `goes_on`
    when the queue is empty; after two years at the latest.
    """
    walk = _Walk(policy, queue_days)
    rows: list[PlanDay] = []
    settled = False
    while len(rows) < MOST_DAYS and not settled:
        day = len(rows)
        before = walk.state()
        arrived = _volume(volumes, day, goes_on=goes_on)
        rows.append(walk.next_day(start + timedelta(days=day), arrived))
        if day + 1 < len(volumes):
            continue
        if not goes_on and not walk.queue:
            break
        settled = goes_on and walk.state() == before
    return _summary(policy, rows, settled=settled, queue_days=queue_days)


def sentences(plan: Plan) -> list[str]:
    """What matters of a plan, in words: warmed when, cleared when, and what would be lost."""
    told = [_warmed(plan), _clears(plan)]
    if plan.expired:
        share = 100 * plan.expired / plan.arrived
        told.append(
            f"Warning: {plan.expired:,} of {plan.arrived:,} messages ({share:.1f} %) would expire "
            f"in the client's queue, which keeps each of them for {_days(plan.queue_days)}."
        )
    if plan.settled and plan.days[-1].expired:
        told.append(f"{plan.days[-1].expired:,} more would expire every day after that.")
    return told


def _warmed(plan: Plan) -> str:
    if plan.warmed_on:
        return f"Warmed on {plan.warmed_on}{_day_of(plan, plan.warmed_on)}."
    if plan.settled and not plan.days[-1].sent:
        return "Never warmed: no mail is sent."
    if plan.settled:
        return f"Never warmed: the cap stays at {plan.days[-1].cap:,} a day."
    return f"Not warmed within {_days(len(plan.days))}."


def _clears(plan: Plan) -> str:
    if not any(row.backlog or row.expired for row in plan.days):
        return "The backlog clears every day: no mail waits for the next."
    if plan.clears_on:
        return f"The backlog clears on {plan.clears_on}{_day_of(plan, plan.clears_on)}."
    if plan.settled:
        return "The backlog never clears: every day more arrives than the cap lets through."
    return f"The backlog does not clear within {_days(len(plan.days))}."


def _day_of(plan: Plan, day: date) -> str:
    return f" (day {(day - plan.days[0].date).days})"


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count} days"


def _volume(volumes: Sequence[int], day: int, *, goes_on: bool) -> int:
    if day < len(volumes):
        return volumes[day]
    return volumes[-1] if goes_on and volumes else 0


@dataclass(slots=True)
class _Walk:
    """A route going along its ramp. `queue` holds (day of arrival, count), oldest first."""

    policy: Policy
    queue_days: int
    day: int = 0
    lifetime: int = 0
    sending_days: int = 0
    qualified_days: int = 0
    first: int | None = None
    queue: deque[tuple[int, int]] = field(default_factory=deque)

    def next_day(self, date_of: date, arrived: int) -> PlanDay:
        """What the next day does."""
        cap = self.policy.ramp.tier_at(self._progress()).cap
        expired = self._expire()
        if arrived:
            self.queue.append((self.day, arrived))
        sent = self._send(cap)
        self._count(sent, cap)
        row = PlanDay(self.day, date_of, cap, arrived, sent, self._waiting(), expired)
        self.day += 1
        return row

    def state(self) -> tuple[int | None, tuple[tuple[int, int], ...]]:
        """All that the next day depends on: the place on the ramp, and the queue by age."""
        progress = self._progress()
        place = progress if self.policy.ramp.next_tier(progress) else None
        return place, tuple((self.day - day, count) for day, count in self.queue)

    def _count(self, sent: int, cap: Cap) -> None:
        if not sent:
            return
        if self.first is None:
            self.first = self.day
        self.lifetime += sent
        self.sending_days += 1
        self.qualified_days += sent >= self.policy.ramp.qualifies_from(cap)

    def _progress(self) -> int:
        return {
            Advance.CALENDAR_DAYS: 0 if self.first is None else self.day - self.first,
            Advance.SENDING_DAYS: self.sending_days,
            Advance.QUALIFIED_DAYS: self.qualified_days,
            Advance.LIFETIME_SENDS: self.lifetime,
        }[self.policy.ramp.advance]

    def _expire(self) -> int:
        expired = 0
        while self.queue and self.queue[0][0] < self.day - self.queue_days:
            expired += self.queue.popleft()[1]
        return expired

    def _send(self, cap: Cap) -> int:
        left = self._waiting() if cap is None else cap
        sent = 0
        while self.queue and left:
            day, count = self.queue.popleft()
            taken = min(count, left)
            sent, left = sent + taken, left - taken
            if taken < count:
                self.queue.appendleft((day, count - taken))
        return sent

    def _waiting(self) -> int:
        return sum(count for _, count in self.queue)


def _summary(policy: Policy, rows: list[PlanDay], *, settled: bool, queue_days: int) -> Plan:
    warmed = next((row.date for row in rows if row.cap is None), None)
    waiting = [row for row in rows if row.backlog or row.expired]
    clears: date | None = rows[0].date
    if waiting:
        after = waiting[-1].day + 1
        clears = rows[after].date if after < len(rows) else None
    expired = sum(row.expired for row in rows)
    return Plan(policy.name, tuple(rows), warmed, clears, expired, settled, queue_days)
