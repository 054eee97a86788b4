"""Limits as a policy states them: a number of sends, none at all, or a share of the cap.

Whole numbers only, here as in `store/lua/limits.lua`, so that both agree to the last send.
Shares are parts of a million, which is percent with four decimals.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from relay.core.policy.ramp import Cap

WHOLE_PPM: Final = 1_000_000
"""A share of all of it, in parts of a million."""

PPM_OF_PERCENT: Final = WHOLE_PPM // 100


def percent_text(ppm: int) -> str:
    """Parts of a million as percent, exactly."""
    return f"{(Decimal(ppm) / PPM_OF_PERCENT).normalize():f}%"


@dataclass(frozen=True, slots=True)
class Share:
    """A share of the cap in force."""

    ppm: int


Limit = int | None | Share
"""The most sends: a number, None for unlimited, or a share of the cap."""


def limit_of(limit: Limit, cap: Cap) -> Cap:
    """What `limit` comes to under `cap`; None is unlimited.

    A share is rounded down, but 1 at least: a wall that nothing ever passes is no warm-up. A
    share of an unlimited cap is unlimited.
    """
    if not isinstance(limit, Share):
        return limit
    return None if cap is None else max(1, part_of(cap, limit.ppm))


def part_of(cap: int, ppm: int) -> int:
    """`ppm` parts of a million of `cap`, rounded down."""
    return cap * ppm // WHOLE_PPM


@dataclass(frozen=True, slots=True)
class LimitTier:
    """From `start` (what the route's ramp counts) on, `limit`."""

    start: int
    limit: Limit


@dataclass(frozen=True, slots=True)
class ProviderCap:
    """The most sends to one provider in one window: tiers in rising order, the first from 0."""

    tiers: tuple[LimitTier, ...]

    def at(self, progress: int, cap: Cap) -> Cap:
        """The provider's cap at `progress` of the route, whose own cap is `cap`."""
        starts = [tier.start for tier in self.tiers]
        tier = self.tiers[max(0, bisect_right(starts, progress) - 1)]
        return limit_of(tier.limit, cap)
