"""The sentences of DESIGN §6: what a client is told about a wall.

The words "temporarily rate limited" are what bounce parsers file under rate limiting.
"""

from __future__ import annotations

from datetime import UTC, datetime

from relay.core.quota import (
    Wall,
    WallKind,
    fits_on,
    next_tier,
    progress,
    warmed_on,
    warmup_day,
)
from relay.core.ramp import Advance, Cap


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC, to the second: 2026-03-04T00:00:00Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def cap_text(cap: Cap) -> str:
    """A cap for people: a number, or "unlimited"."""
    return "unlimited" if cap is None else str(cap)


def deferral_text(wall: Wall) -> str:
    """`… temporarily rate limited by warm-up: 200 of 200 sent today (day 3, …); next sends …`."""
    head = f"{wall.route.id.domain} temporarily rate limited by warm-up:"
    if wall.kind is WallKind.PAUSED:
        return f"{head} paused: {wall.standing.reason or 'no reason given'}"
    if wall.kind is WallKind.MESSAGE:
        return f"{head} {_too_wide(wall)}"
    used = f"{wall.standing.charged} of {cap_text(wall.limit)} sent today"
    more = f", {wall.wanted} more wanted" if wall.wanted > 1 else ""
    return f"{head} {used}{more} ({_place(wall)}); {_opening(wall)}"


def _place(wall: Wall) -> str:
    policy = wall.route.policy
    if policy.ramp.advance is Advance.LIFETIME_SENDS:
        where = f"{progress(policy, wall.window, wall.standing)} lifetime sends"
    else:
        where = f"day {warmup_day(wall.window, wall.standing)}"
    return f"{where}, {policy.name}"


def _opening(wall: Wall) -> str:
    opens = f"next sends {timestamp(wall.window.closes_at)}"
    warmed = warmed_on(wall.route.policy, wall.window, wall.standing)
    if warmed:
        return f"{opens}; warmed {warmed.isoformat()}"
    tier = next_tier(wall.route.policy, wall.window, wall.standing)
    if tier and wall.route.policy.ramp.advance is Advance.LIFETIME_SENDS:
        return f"{opens}; cap {cap_text(tier.cap)} from {tier.start} lifetime sends"
    return opens


def _too_wide(wall: Wall) -> str:
    told = f"{wall.wanted} recipients exceed today's cap of {cap_text(wall.limit)}"
    day = fits_on(wall.route.policy, wall.window, wall.standing, wall.wanted)
    if day:
        return f"{told} ({_place(wall)}); fits on {day.isoformat()}"
    tier = wall.route.policy.ramp.first_fitting(wall.wanted)
    fits = f"fits from {tier.start} lifetime sends" if tier else "split it"
    return f"{told} ({_place(wall)}); {fits}"


def never_fits_text(wall: Wall) -> str:
    """For a message with more recipients than any day of its policy allows."""
    most = cap_text(wall.route.policy.ramp.largest())
    return (
        f"{wall.wanted} recipients in one message; {wall.route.policy.name} never allows more "
        f"than {most} a day: split it"
    )
