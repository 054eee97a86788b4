"""Ramps: how the daily cap of a route rises.

A ramp is a list of tiers; a tier is a threshold and the cap from there on (DESIGN §2).
What the threshold counts is the ramp's `advance`. Ramps that a policy states as a formula are
tiers too by the time anything reads them: `growth.py`.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

Cap = int | None
"""The most sends in one window; None is unlimited."""

QUALIFY_PPM: Final = 500_000
"""How much of its cap a day must send to qualify, where a policy does not say."""


def lowest(*caps: Cap) -> Cap:
    """The cap that is reached first; None where all are unlimited."""
    return min((cap for cap in caps if cap is not None), default=None)


class Advance(StrEnum):
    """What moves a route up its ramp."""

    CALENDAR_DAYS = "calendar-days"
    SENDING_DAYS = "sending-days"
    QUALIFIED_DAYS = "qualified-days"
    LIFETIME_SENDS = "lifetime-sends"

    @property
    def counts_days(self) -> bool:
        """Whether thresholds are days of some kind, and not sends."""
        return self is not Advance.LIFETIME_SENDS


@dataclass(frozen=True, slots=True)
class Tier:
    """From `start` (days, or lifetime sends) on, at most `cap` sends in a window."""

    start: int
    cap: Cap


@dataclass(frozen=True, slots=True)
class Ramp:
    """Tiers in rising order of `start`, the first of them at 0.

    `qualify_ppm` is how much of its cap, in parts of a million, a day must send to qualify.
    """

    advance: Advance
    tiers: tuple[Tier, ...]
    qualify_ppm: int = QUALIFY_PPM

    def tier_at(self, progress: int) -> Tier:
        """The tier in force at `progress` (days or sends, 0 or more)."""
        above = bisect_right(self.tiers, progress, key=lambda tier: tier.start)
        return self.tiers[max(0, above - 1)]

    def next_tier(self, progress: int) -> Tier | None:
        """The first tier above the one in force at `progress`, or None at the last."""
        return next((tier for tier in self.tiers if tier.start > progress), None)

    def qualifies_from(self, cap: Cap) -> int:
        """How many sends make a qualified day under `cap`; the first one does without a cap."""
        return 1 if cap is None else max(1, -(-cap * self.qualify_ppm // 1_000_000))

    def warmed_at(self) -> int | None:
        """The threshold from which the cap is unlimited for good, or None if it never is."""
        return self.tiers[-1].start if self.tiers[-1].cap is None else None
