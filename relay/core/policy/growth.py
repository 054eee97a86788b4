"""Ramps by formula, written out as tiers: growth, straight lines, what comes after, a ceiling.

Owns the arithmetic only, all of it exact: fractions and whole numbers, never floats. Which key
of a policy says what, and where a problem is told, is `settings/ramp_reading.py`. Tier
thresholds are days here; nothing but `clamped` makes sense for lifetime sends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Final

from relay.core.policy.ramp import Cap, Tier

MOST_TIERS: Final = 1000
"""Of one ramp, written out."""

MOST_SENDS: Final = 10**12
"""The highest finite cap."""


class Ending(StrEnum):
    """What may follow the last number of a ramp, from the day after it on."""

    UNLIMITED = "unlimited"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class SoftLanding:
    """The cap goes on by `factor` a day while it is at most `until`; then it is unlimited."""

    factor: Fraction
    until: int


Then = Ending | SoftLanding


class TooLong(ValueError):
    """The ramp would have more than MOST_TIERS tiers."""


class TooHigh(ValueError):
    """A cap would be more than MOST_SENDS; `day` is the first such day."""

    def __init__(self, day: int) -> None:
        super().__init__(f"the cap of day {day} would be more than {MOST_SENDS}")
        self.day = day


def growth(start: int, factor: Fraction, days: int, most: Cap = None) -> list[int]:
    """The caps of days 0 to `days` - 1: start × factor^day, rounded half up, at most `most`.

    Raises TooHigh.
    """
    caps: list[int] = []
    exact = Fraction(start)
    for day in range(days):
        cap = half_up(exact)
        if most is None and cap > MOST_SENDS:
            raise TooHigh(day)
        if most is not None and cap >= most:
            return caps + [most] * (days - day)
        caps.append(cap)
        exact *= factor
    return caps


def linear(start: int, end: int, days: int, most: Cap = None) -> list[int]:
    """The caps of days 0 to `days` - 1 (2 or more) on a straight line, rounded down."""
    caps = [start + (end - start) * day // (days - 1) for day in range(days)]
    return caps if most is None else [min(cap, most) for cap in caps]


def half_up(exact: Fraction) -> int:
    """The nearest whole number; a half goes up."""
    return int((2 * exact + 1) // 2)


def as_tiers(caps: Sequence[int]) -> tuple[Tier, ...]:
    """One tier a day, with days that change nothing left out."""
    return _distinct([Tier(day, cap) for day, cap in enumerate(caps)])


def continued(tiers: Sequence[Tier], last_day: int, then: Then) -> tuple[Tier, ...]:
    """`tiers`, whose last cap (a number) is that of `last_day`, and what comes `then`.

    A soft landing grows from the last cap as it stands, rounded, so that anybody can check
    it from the table. Raises TooLong.
    """
    if then is Ending.HOLD:
        return tuple(tiers)
    if isinstance(then, SoftLanding):
        more = _landing(tiers[-1].cap or 0, last_day + 1, then, MOST_TIERS - len(tiers))
    else:
        more = [Tier(last_day + 1, None)]
    if len(tiers) + len(more) > MOST_TIERS:
        raise TooLong
    return _distinct([*tiers, *more])


def _landing(last: int, day: int, then: SoftLanding, room: int) -> list[Tier]:
    """The tiers of a soft landing from `day` on. Raises TooLong where they are over `room`."""
    tiers: list[Tier] = []
    exact = last * then.factor
    while half_up(exact) <= then.until:
        if len(tiers) >= room:
            raise TooLong
        tiers.append(Tier(day + len(tiers), half_up(exact)))
        exact *= then.factor
    return [*tiers, Tier(day + len(tiers), None)]


def clamped(tiers: Sequence[Tier], hold_at: int) -> tuple[Tier, ...]:
    """`tiers` with no cap above `hold_at`: unlimited becomes `hold_at` too."""
    caps = [(tier.start, hold_at if tier.cap is None else tier.cap) for tier in tiers]
    return _distinct([Tier(start, min(cap, hold_at)) for start, cap in caps])


def _distinct(tiers: Sequence[Tier]) -> tuple[Tier, ...]:
    """Without the tiers whose cap is the one before."""
    before = [None, *tiers]
    return tuple(
        tier
        for last, tier in zip(before, tiers, strict=False)
        if last is None or last.cap != tier.cap
    )
