"""Windows: the time that a cap is for.

A calendar window is one day in an IANA zone, from `starts` to `starts`; on the two days
a year when the zone changes its offset it is 23 or 25 hours long. A rolling window is the
last 24 hours, and moves on by a slice of 15 minutes. Windows are labelled by zone, start and
date, never by a counter, so that a wrong clock cannot open a second one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

SLICE_S: Final = 900
"""The grain of a rolling window, and of what a store remembers of charges."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SLICE: Final = timedelta(seconds=SLICE_S)
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Window:
    """One window. `day` is the proleptic ordinal of its date (`date.toordinal`).

    One that `slides` is followed by the next before its sends are out of it: `closes_at` is
    when that happens.
    """

    label: str
    day: int
    opens_at: datetime
    closes_at: datetime
    slides: bool = False

    @property
    def date(self) -> date:
        """The date that the window is named after, in the policy's zone."""
        return date.fromordinal(self.day)

    @property
    def counted_to(self) -> datetime:
        """Charges up to here count: also those of relays whose clocks go before ours."""
        return self.closes_at + 2 * _DAY if self.slides else self.closes_at


@dataclass(frozen=True, slots=True)
class CalendarDay:
    """The window kind `calendar-day`. `zone` is a name of the IANA database."""

    zone: str = "UTC"
    starts: time = time(0)

    def boundary(self, day: date) -> datetime:
        """The UTC instant at which the window of `day` opens.

        A wall time that the zone skips is read by the offset before the gap, so that 02:30
        opens at 03:30; one that comes twice opens at the first of the two (RFC 5545 §3.3.5).
        """
        local = datetime.combine(day, self.starts, tzinfo=ZoneInfo(self.zone))
        return local.astimezone(UTC)

    def at(self, now: datetime) -> Window:
        """The window that `now` (aware) falls in."""
        form = (self.zone, self.starts)  # takes a fraction of the time that `self` takes to hash
        latest = _LATEST.get(form)
        if latest is not None and latest.opens_at <= now < latest.closes_at:
            return latest
        if len(_LATEST) >= _MOST_KEPT:
            _LATEST.clear()
        _LATEST[form] = found = self._found(now)
        return found

    def _found(self, now: datetime) -> Window:
        day = now.astimezone(ZoneInfo(self.zone)).date() + timedelta(days=1)
        while self.boundary(day) > now:
            day -= timedelta(days=1)
        return self.of(day)

    def of(self, day: date) -> Window:
        """The window named after `day`."""
        return _named(self.zone, self.starts, day)


@dataclass(frozen=True, slots=True)
class Rolling24h:
    """The window kind `rolling-24h`. `zone` and `starts` only say when the ramp's day changes.

    A slice counts until all of it is 24 hours and one slice in the past: mail charged in it
    may have been under way for that long, so that no 24 hours ever hold more than the cap.
    """

    zone: str = "UTC"
    starts: time = time(0)

    def boundary(self, day: date) -> datetime:
        """The UTC instant at which the ramp's `day` begins."""
        return CalendarDay(self.zone, self.starts).boundary(day)

    def at(self, now: datetime) -> Window:
        """The window that `now` (aware) falls in: the same for all of one slice."""
        return self.within(CalendarDay(self.zone, self.starts).at(now).day, now)

    def within(self, day: int, now: datetime) -> Window:
        """The window of `now`, which lies in the ramp's `day`."""
        slice_at = _EPOCH + (now - _EPOCH) // _SLICE * _SLICE
        return Window(
            label=f"{slice_at:%Y-%m-%dT%H:%M}Z/rolling-24h",
            day=day,
            opens_at=slice_at - _DAY - _SLICE,
            closes_at=slice_at + _SLICE,
            slides=True,
        )


_LATEST: Final[dict[tuple[str, time], Window]] = {}
"""The window found last, by form: nearly every message asks for the same one as the last."""
_MOST_KEPT: Final = 256


@lru_cache(_MOST_KEPT)
def _named(zone: str, starts: time, day: date) -> Window:
    """Kept: each deferral asks for the window after its own, a tenth of what it costs."""
    form = CalendarDay(zone, starts)
    return Window(
        label=f"{day.isoformat()}/{zone}/{starts:%H:%M}",
        day=day.toordinal(),
        opens_at=form.boundary(day),
        closes_at=form.boundary(day + timedelta(days=1)),
    )


WindowForm = CalendarDay | Rolling24h


def leaves_at(slice_ends_at: datetime) -> datetime:
    """When the charges of a slice that ended then no longer count in a rolling window."""
    return _EPOCH + -((_EPOCH - slice_ends_at - _DAY - _SLICE) // _SLICE) * _SLICE
