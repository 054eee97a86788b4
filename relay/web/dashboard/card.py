"""The Sender Warming card, and the schedule below it, as a template wants them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from relay.core.policy.ramp import Cap
from relay.core.quota.reservation import State, next_tier, progress, remaining, warmup_day
from relay.core.quota.wording import counted_text, place_text
from relay.core.status.past import tomorrows_cap
from relay.core.status.report import Status

SHOWN_TIERS: Final = 9


@dataclass(frozen=True, slots=True)
class Step:
    """A tier: `stage` is done, now or next."""

    name: str
    cap: Cap
    stage: str


@dataclass(frozen=True, slots=True)
class Card:
    """What the card says. `tier_cap` is None where there is no cap."""

    state: State
    is_warmed: bool
    tier_cap: Cap
    cumulative: int
    sent: int
    reserved: int
    remaining: Cap
    next_at: str
    next_cap: Cap
    tomorrow: Cap
    rises_tomorrow: bool
    day: int
    place: str
    permille: int
    used_percent: int


def card(status: Status) -> Card:
    """The card of a route."""
    standing, cap = status.standing, status.cap
    tier = next_tier(status.route.policy, status.window, standing)
    tomorrow = tomorrows_cap(status)
    counts_days = status.route.policy.ramp.advance.counts_days
    is_reached = tier is not None and standing.base_sends + standing.lifetime >= tier.start
    return Card(
        state=status.state,
        is_warmed=cap is None and status.has_ramp,
        tier_cap=cap,
        cumulative=standing.lifetime,
        sent=status.sent,
        reserved=standing.reserved,
        remaining=remaining(cap, standing),
        next_at="" if tier is None else _threshold(status, tier.start),
        next_cap=None if tier is None else tier.cap,
        tomorrow=tomorrow,
        rises_tomorrow=not counts_days and is_reached and tomorrow != cap,
        day=warmup_day(status.window, standing),
        place=place_text(status.route.policy, status.window, standing),
        permille=_permille(status),
        used_percent=_used(status),
    )


def _threshold(status: Status, start: int) -> str:
    advance = status.route.policy.ramp.advance
    return counted_text(advance, start) if advance.counts_days else f"{start:,}"


def _permille(status: Status) -> int:
    """How far up the whole ramp the route is; sends of today included."""
    ramp, standing = status.route.policy.ramp, status.standing
    end = ramp.tiers[-1].start
    if status.cap is None or not end:
        return 1000
    at = progress(status.route.policy, status.window, standing)
    if not ramp.advance.counts_days:
        at = standing.base_sends + standing.lifetime
    return min(1000, 1000 * at // end)


def _used(status: Status) -> int:
    if status.cap is None:
        return 0
    return min(100, 100 * status.standing.charged // status.cap) if status.cap else 100


def steps(status: Status) -> list[Step]:
    """The tiers around the one in force, with first and last; all are done where none is."""
    ramp = status.route.policy.ramp
    at = progress(status.route.policy, status.window, status.standing)
    if status.cap is None:
        now = len(ramp.tiers) - (ramp.tiers[-1].cap is None)
    else:
        now = ramp.tiers.index(ramp.tier_at(at))
    first = max(0, min(now - SHOWN_TIERS // 2, len(ramp.tiers) - SHOWN_TIERS))
    found = []
    for place, tier in list(enumerate(ramp.tiers))[first : first + SHOWN_TIERS]:
        stage = "done" if place < now else "now" if place == now else "next"
        found.append(Step(_named(status, tier.start), tier.cap, stage))
    return found


def _named(status: Status, start: int) -> str:
    advance = status.route.policy.ramp.advance
    if advance.counts_days:
        return counted_text(advance, start)
    return f"from {start:,}"
