"""What a ramp turns away comes back: the attempts that clients make in vain.

A client that is an MTA keeps what was deferred and tries again, Postfix every 4,000 s after the
first hours, for five days (RFC 5321 §4.5.4.1). How much waits on each day of a ramp is what
`warmup-relay plan` tells, of the same code.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from bench.simulation.costs import DAY_S, Costs, Load
from relay.core.plan.plan import PlanDay, plan
from relay.core.policy.policy import Policy
from relay.core.policy.ramp import Advance

_START = date(2026, 1, 5)
_STEPS = 8
"""Volumes are told apart so often between one and ten times as many."""


@dataclass(frozen=True, slots=True)
class Storm:
    """A day on which a `part` of all domains is in its ramp: messages, and attempts a second."""

    part: float
    wanted: float
    sent: float
    waiting: float
    expired: float
    vain_a_s: float

    def workers(self, load: Load, costs: Costs) -> float:
        """Cores that the attempts in vain take."""
        takes_us = costs.deferral + costs.connection / load.messages_a_connection
        return self.vain_a_s * takes_us / 1e6

    def stores(self, costs: Costs) -> float:
        """Cores of the store that they take."""
        return self.vain_a_s * costs.standing / 1e6


class Ramps:
    """What becomes of a volume on each day that `policy` has a cap, by calendar days."""

    def __init__(self, policy: Policy) -> None:
        """Raises ValueError for a ramp that never ends, or not by the calendar."""
        ends = [tier.start for tier in policy.ramp.tiers if tier.cap is None]
        if policy.ramp.advance is not Advance.CALENDAR_DAYS or not ends:
            raise ValueError(f"{policy.name} does not end on a calendar day")
        self.days = ends[0]
        self._policy = policy
        self._known: dict[int, Sequence[PlanDay]] = {}

    def of(self, volume: float) -> tuple[float, Sequence[PlanDay]]:
        """The days for a volume near to it, and how many times that it is."""
        step = round(math.log10(max(1.0, volume)) * _STEPS)
        like = round(10 ** (step / _STEPS))
        if step not in self._known:
            rows = plan(self._policy, [like], _START).days
            self._known[step] = [rows[min(day, len(rows) - 1)] for day in range(self.days)]
        return volume / like, self._known[step]


def storm(part: float, ramps: Ramps, shares: Sequence[float], load: Load, seed: int = 1) -> Storm:
    """Each domain is in its ramp by a chance of `part`, on any day of it."""
    chance = random.Random(seed)
    wanted = sent = waiting = expired = vain = 0.0
    for share in shares:
        if chance.random() >= part:
            continue
        many, rows = ramps.of(share * load.messages_a_day)
        day = chance.randrange(ramps.days)
        row, before = rows[day], rows[day - 1].backlog if day else 0
        wanted += row.arrived * many
        sent += row.sent * many
        waiting += row.backlog * many
        expired += row.expired * many
        waits = (before + row.backlog) / 2  # on average over the day
        vain += (waits * DAY_S / load.backoff_s + min(row.arrived, row.backlog)) * many
    return Storm(part, wanted, sent, waiting, expired, vain / DAY_S)
