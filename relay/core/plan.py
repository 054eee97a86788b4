"""What a policy would do with a daily volume, day by day.

The same ramp arithmetic as the live quota, over an imagined queue: every day's mail waits in
the client's queue until the cap lets it through, or until the client gives it up.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from relay.core.policy import Policy
from relay.core.ramp import Advance, Cap

QUEUE_DAYS: Final = 5
"""How long MTAs keep trying (RFC 5321 §4.5.4.1: at least 4 to 5 days)."""

MOST_DAYS: Final = 730


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
    """A policy over some days. `clears_on` is the first day that ends without backlog for good."""

    policy: str
    days: tuple[PlanDay, ...]
    warmed_on: date | None
    clears_on: date | None
    expired: int


def plan(
    policy: Policy,
    volumes: Sequence[int],
    start: date,
    *,
    least_days: int = 0,
    queue_days: int = QUEUE_DAYS,
) -> Plan:
    """The plan of `policy` for `volumes` sends a day from `start` on; the last volume goes on.

    Runs until the route is warmed and the backlog is gone, at least `least_days` and at most
    two years. `queue_days` is how long the client keeps a deferred message.
    """
    queue: deque[tuple[int, int]] = deque()
    rows: list[PlanDay] = []
    lifetime = 0
    first: int | None = None
    for day in range(MOST_DAYS):
        progress = lifetime if policy.ramp.advance is Advance.LIFETIME_SENDS else _since(first, day)
        cap = policy.ramp.tier_at(progress).cap
        arrived = volumes[min(day, len(volumes) - 1)] if volumes else 0
        expired = _expire(queue, day - queue_days)
        queue.append((day, arrived))
        sent = _send(queue, cap)
        lifetime += sent
        if sent and first is None:
            first = day
        backlog = sum(count for _, count in queue)
        date_of = start + timedelta(days=day)
        rows.append(PlanDay(day, date_of, cap, arrived, sent, backlog, expired))
        if cap is None and not backlog and day + 1 >= max(least_days, len(volumes)):
            break
    return _summary(policy, rows)


def _since(first: int | None, day: int) -> int:
    return 0 if first is None else day - first


def _expire(queue: deque[tuple[int, int]], before: int) -> int:
    expired = 0
    while queue and queue[0][0] < before:
        expired += queue.popleft()[1]
    return expired


def _send(queue: deque[tuple[int, int]], cap: Cap) -> int:
    left = sum(count for _, count in queue) if cap is None else cap
    sent = 0
    while queue and left:
        day, count = queue.popleft()
        taken = min(count, left)
        sent, left = sent + taken, left - taken
        if taken < count:
            queue.appendleft((day, count - taken))
    return sent


def _summary(policy: Policy, rows: list[PlanDay]) -> Plan:
    warmed = next((row.date for row in rows if row.cap is None), None)
    waiting = [row for row in rows if row.backlog or row.expired]
    clears: date | None = rows[0].date
    if waiting:
        after = waiting[-1].day + 1
        clears = rows[after].date if after < len(rows) else None
    return Plan(policy.name, tuple(rows), warmed, clears, sum(row.expired for row in rows))
