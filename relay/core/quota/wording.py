"""The sentences of DESIGN §6: what a client is told about a wall.

The words "temporarily rate limited" are what bounce parsers file under rate limiting.
"""

from __future__ import annotations

from datetime import UTC, datetime

from relay.core.policy.policy import Policy
from relay.core.policy.ramp import Advance, Cap
from relay.core.policy.window import Window
from relay.core.quota.bounds import WallKind
from relay.core.quota.standing import Standing, next_tier, progress, warmed_on
from relay.core.quota.walls import Wall


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC, to the second: 2026-03-04T00:00:00Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def cap_text(cap: Cap) -> str:
    """A cap for people: a number, or "unlimited"."""
    return "unlimited" if cap is None else str(cap)


def deferral_text(wall: Wall) -> str:
    """`… temporarily rate limited by warm-up: 200 of 200 sent today (day 3, …); next sends …`."""
    whose = f" for {wall.provider}" if wall.provider else ""
    head = f"{wall.route.id.domain} temporarily rate limited by warm-up{whose}:"
    if wall.kind is WallKind.PAUSED:
        return f"{head} paused: {wall.standing.reason or 'no reason given'}"
    if wall.kind is WallKind.DAY_OFF:
        return f"{head} no sends on {wall.window.date:%A}s ({_place(wall)}); {_opening(wall)}"
    if wall.is_too_wide:
        return f"{head} {_too_wide(wall)}"
    more = f", {wall.wanted} more wanted" if wall.wanted > 1 else ""
    return f"{head} {_used(wall)}{more} ({_place(wall)}); {_opening(wall)}"


def _used(wall: Wall) -> str:
    of = f"{wall.used} of {cap_text(wall.limit)}"
    if wall.kind is WallKind.HOUR:
        is_even = wall.pace is not None and wall.pace.line is not None
        return f"{of} open at this hour sent" if is_even else f"{of} sent this hour"
    sent = f"{of} sent {_span(wall)}"
    if wall.bound is not None and wall.bound.kept_for is not None:
        return f"{sent}, the rest is kept for {wall.bound.kept_for} mail"
    return sent


def _span(wall: Wall) -> str:
    return "in 24 hours" if wall.window.slides else "today"


def place_text(policy: Policy, window: Window, standing: Standing) -> str:
    """Where on its ramp a route is: `day 3`, `sending day 4`, `700 lifetime sends`."""
    return counted_text(policy.ramp.advance, progress(policy, window, standing))


def _place(wall: Wall) -> str:
    policy = wall.route.policy
    return f"{place_text(policy, wall.window, wall.standing)}, {policy.name}"


def counted_text(advance: Advance, threshold: int) -> str:
    """A threshold for people: `day 7`, `sending day 7`, `700 lifetime sends`."""
    if advance is Advance.LIFETIME_SENDS:
        return f"{threshold} lifetime send{'' if threshold == 1 else 's'}"
    kind = {Advance.SENDING_DAYS: "sending ", Advance.QUALIFIED_DAYS: "qualified "}
    return f"{kind.get(advance, '')}day {threshold}"


def _opening(wall: Wall) -> str:
    policy, opens_at = wall.route.policy, wall.opens_at
    opens = f"next sends {timestamp(opens_at)}" if opens_at else "next sends unknown"
    warmed = warmed_on(policy, wall.window, wall.standing)
    if warmed and warmed > wall.window.date:
        return f"{opens}; warmed {warmed.isoformat()}"
    tier = next_tier(policy, wall.window, wall.standing)
    if tier and policy.ramp.advance is not Advance.CALENDAR_DAYS:
        threshold = counted_text(policy.ramp.advance, tier.start)
        return f"{opens}; cap {cap_text(tier.cap)} from {threshold}"
    return opens


def _too_wide(wall: Wall) -> str:
    recipients = "1 recipient exceeds" if wall.wanted == 1 else f"{wall.wanted} recipients exceed"
    told = f"{recipients} {_limit(wall)} ({_place(wall)})"
    if wall.fits_on:
        return f"{told}; fits on {wall.fits_on.isoformat()}"
    if wall.fits_from is not None:
        advance = wall.route.policy.ramp.advance
        return f"{told}; fits from {counted_text(advance, wall.fits_from)}"
    return f"{told}; split it"


def _limit(wall: Wall) -> str:
    most = cap_text(wall.most_today)
    if wall.kind is WallKind.HOUR:
        return f"the {most} of an hour"
    if wall.bound is not None and wall.bound.kept_for is not None:
        return f"the {most} of today's cap that are not kept for {wall.bound.kept_for} mail"
    return f"today's cap of {most}"


def never_fits_text(wall: Wall, asked_by: str = "message") -> str:
    """For a message, or a batch, with more recipients than any day of its policy allows."""
    if not wall.most_ever and wall.bound is not None and wall.bound.kept_for is not None:
        return f"{wall.route.policy.name} keeps all of every cap for {wall.bound.kept_for} mail"
    whose = f" for {wall.provider}" if wall.provider else ""
    span = "an hour" if wall.kind is WallKind.HOUR else "a day"
    return (
        f"{wall.wanted} recipients{whose} in one {asked_by}; {wall.route.policy.name} never allows "
        f"more than {wall.most_ever} {span}{whose}: split it"
    )
