"""Smoothing: how much of a window's cap is open at an instant.

`hourly_share` lets a share of the cap go in each clock hour. `even` opens the cap along a
straight line over the sending hours, the k-th of n sends (k - 1) / n of the way along it, so that
the last one has its time too; a burst at their start keeps small caps usable.
Whole numbers only, as in `store/lua/limits.lua`. Reads no clock: *now* is an argument.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from relay.core.policy.limits import WHOLE_PPM, Limit, Share, limit_of
from relay.core.policy.window import CalendarDay, Window, WindowForm

USUAL_BURST: Final = Share(50_000)
"""What is open at the start of the sending hours where a policy does not say: 5 % of the cap."""

_HOUR: Final = timedelta(hours=1)
_SECOND: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class HourlyShare:
    """In each clock hour of the policy's zone at most so much of the cap, rounded up."""

    ppm: int


@dataclass(frozen=True, slots=True)
class Even:
    """The cap opens from `begins` to `ends`, times of day; None is where the day itself does.

    `burst` sends are open from `begins` on; None is 5 % of the cap, but 1 at least.
    """

    begins: time | None = None
    ends: time | None = None
    burst: int | None = None


Smoothing = HourlyShare | Even | None


@dataclass(frozen=True, slots=True)
class Line:
    """The straight line of `even`: from `begins_at` to `ends_at`, from `burst` on."""

    begins_at: datetime
    ends_at: datetime
    burst: Limit

    def reaches(self, needed: int, cap: int) -> datetime:
        """When `needed` (at most `cap`) sends are open, in whole seconds."""
        if needed <= max(1, limit_of(self.burst, cap) or 0):
            return self.begins_at
        span_s = (self.ends_at - self.begins_at) // _SECOND
        return self.begins_at + timedelta(seconds=(needed - 1) * span_s // cap)


@dataclass(frozen=True, slots=True)
class Pace:
    """What is open of a cap at one instant, and which charges are held against it.

    Charges from `since` to `until` count. Open is numerator / denominator of the cap, rounded
    as `rounding` (added before the division) says, `least` at least, the cap at most.
    """

    since: datetime
    until: datetime
    numerator: int
    denominator: int
    rounding: int
    least: Limit
    line: Line | None

    def open_of(self, cap: int) -> int:
        """How many sends are open under `cap`."""
        share = (cap * self.numerator + self.rounding) // self.denominator
        return min(cap, max(share, limit_of(self.least, cap) or 0))

    def reaches(self, needed: int, cap: int) -> datetime:
        """When `needed` sends of this span will be open under `cap`; else when the span ends."""
        if self.line is None or needed > cap:
            return self.until
        return self.line.reaches(needed, cap)


def pace_at(smoothing: Smoothing, form: WindowForm, window: Window, now: datetime) -> Pace | None:
    """The pace of `smoothing` at `now`, which lies in `window` of `form`; None if there is none."""
    if smoothing is None:
        return None
    if isinstance(smoothing, HourlyShare):
        return _hourly(smoothing, form, now)
    # A rolling window has no beginning; its days do.
    day = CalendarDay(form.zone, form.starts).at(now) if window.slides else window
    return _even(smoothing, form, day, now)


def first_open(smoothing: Smoothing, form: WindowForm, day: date) -> datetime:
    """When the sends of `day` begin: with it, or with its sending hours."""
    window = CalendarDay(form.zone, form.starts).of(day)
    begins = smoothing.begins if isinstance(smoothing, Even) else None
    return _instant(begins, form, window) or window.opens_at


def opens_by_end(
    smoothing: Smoothing, form: WindowForm, day: Window, cap: int, since: datetime
) -> int | None:
    """How many sends of `cap` are open at some instant from `since` to the end of `day`.

    The most that the day's charges can come to: for `hourly_share` the sum over the clock
    hours that begin in that time, and the one that `since` is in where it began in the day.
    None where there is no smoothing.
    """
    if smoothing is None:
        return None
    if isinstance(smoothing, HourlyShare):
        share = _hourly(smoothing, form, since).open_of(cap)
        return share * _hours(smoothing, form, day, since)
    return _even(smoothing, form, day, day.closes_at - _SECOND).open_of(cap)


def _hours(smoothing: HourlyShare, form: WindowForm, day: Window, since: datetime) -> int:
    """The clock hours from `since` on; one that began the day before is that day's."""
    count, at = 0, since
    while at < day.closes_at:
        pace = _hourly(smoothing, form, at)
        count += pace.since >= day.opens_at
        at = pace.until
    return count


def _hourly(smoothing: HourlyShare, form: WindowForm, now: datetime) -> Pace:
    local = now.astimezone(ZoneInfo(form.zone))
    into = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    since = now - into
    return Pace(since, since + _HOUR, smoothing.ppm, WHOLE_PPM, WHOLE_PPM - 1, 1, None)


def _even(smoothing: Even, form: WindowForm, day: Window, now: datetime) -> Pace:
    begins_at = _instant(smoothing.begins, form, day) or day.opens_at
    ends_at = _instant(smoothing.ends, form, day, is_end=True) or day.closes_at
    burst = USUAL_BURST if smoothing.burst is None else smoothing.burst
    line = Line(begins_at, ends_at, burst)
    if now < begins_at:
        return Pace(day.opens_at, day.closes_at, 0, 1, 0, 0, line)
    if now >= ends_at:
        return Pace(day.opens_at, day.closes_at, 1, 1, 0, 0, line)
    elapsed_s, span_s = (now - begins_at) // _SECOND, (ends_at - begins_at) // _SECOND
    # Counted to the end of the second that `now` is in: the k-th send is open once k - 1 are past.
    return Pace(day.opens_at, day.closes_at, elapsed_s + 1, span_s, span_s - 1, burst, line)


def _instant(
    at: time | None, form: WindowForm, day: Window, *, is_end: bool = False
) -> datetime | None:
    """The instant of `at` in `day`, which begins at `form.starts`; the end comes after it."""
    if at is None:
        return None
    follows = at < form.starts or (is_end and at == form.starts)
    found = CalendarDay(form.zone, at).boundary(day.date + timedelta(days=follows))
    return min(max(found, day.opens_at), day.closes_at)
