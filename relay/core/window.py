"""Windows: the time that a cap is for.

A calendar window is one day in an IANA zone, from `starts` to `starts`; on the two days
a year when the zone changes its offset it is 23 or 25 hours long. Windows are labelled by
zone, start and date, never by a counter, so that a wrong clock cannot open a second one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Window:
    """One window. `day` is the proleptic ordinal of its date (`date.toordinal`)."""

    label: str
    day: int
    opens_at: datetime
    closes_at: datetime

    @property
    def date(self) -> date:
        """The date that the window is named after, in the policy's zone."""
        return date.fromordinal(self.day)


@dataclass(frozen=True, slots=True)
class CalendarDay:
    """The window kind `calendar-day`. `zone` is a name of the IANA database."""

    zone: str = "UTC"
    starts: time = time(0)

    def boundary(self, day: date) -> datetime:
        """The UTC instant at which the window of `day` opens.

        A wall time that the zone skips opens at the end of the gap; one that comes twice
        opens at the first of the two.
        """
        local = datetime.combine(day, self.starts, tzinfo=ZoneInfo(self.zone))
        return local.astimezone(UTC)

    def at(self, now: datetime) -> Window:
        """The window that `now` (aware) falls in."""
        day = now.astimezone(ZoneInfo(self.zone)).date() + timedelta(days=1)
        while self.boundary(day) > now:
            day -= timedelta(days=1)
        return self.of(day)

    def of(self, day: date) -> Window:
        """The window named after `day`."""
        return Window(
            label=f"{day.isoformat()}/{self.zone}/{self.starts:%H:%M}",
            day=day.toordinal(),
            opens_at=self.boundary(day),
            closes_at=self.boundary(day + timedelta(days=1)),
        )
