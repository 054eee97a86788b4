"""What the charts draw, as JSON in an attribute: numbers only, made and escaped here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any, Final

from relay.core.plan.plan import Plan
from relay.core.policy.policy import Policy
from relay.core.policy.ramp import Cap
from relay.core.status.past import DayOfRoute

_AFTER: Final = 3


def _second(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def of_route(was: Sequence[DayOfRoute], comes: Sequence[DayOfRoute]) -> str:
    """Sent as bars, the cap as steps, the coming caps as dashed steps. Unlimited is a gap."""
    days = [*was, *comes]
    today = len(was) - 1
    caps = [each.cap for each in days]
    told: dict[str, Any] = {
        "kind": "route",
        "x": [_second(each.date) for each in days],
        "sent": [each.sent for each in days],
        "cap": [cap if place <= today else None for place, cap in enumerate(caps)],
        "forecast": [cap if place >= today else None for place, cap in enumerate(caps)],
        "today": today,
    }
    return json.dumps(told)


def of_policies(policies: Sequence[Policy]) -> str:
    """The caps of up to two policies along what their ramps count."""
    ends = [policy.ramp.tiers[-1].start for policy in policies]
    by_day = policies[0].ramp.advance.counts_days
    points = _points(policies, max(ends), by_day=by_day)
    return json.dumps(
        {
            "kind": "policies",
            "x": points,
            "axis": "day" if by_day else "lifetime sends",
            "names": [policy.name for policy in policies],
            "caps": [[policy.ramp.tier_at(at).cap for at in points] for policy in policies],
        }
    )


def _points(policies: Sequence[Policy], end: int, *, by_day: bool) -> list[int]:
    if by_day:
        return list(range(max(1, end) + _AFTER + 1))
    starts = {tier.start for policy in policies for tier in policy.ramp.tiers}
    return sorted(starts | {start - 1 for start in starts if start} | {max(1, end * 5 // 4)})


def of_plan(plan: Plan) -> str:
    """Sent as bars, the cap as steps, the backlog as an area."""
    rows = plan.days[:120]
    told: dict[str, list[Cap]] = {
        "sent": [row.sent for row in rows],
        "cap": [row.cap for row in rows],
        "backlog": [row.backlog for row in rows],
    }
    return json.dumps({"kind": "plan", "x": [_second(row.date) for row in rows], **told})
