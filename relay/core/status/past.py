"""A route's days: cap against sends, as they were and as they may come.

What was sent is known by day; the cap of a day that is over is not kept, and is worked out
here from those sends by the policy in force: after an edit of the policy, or a pause of the
mail, it may not be the one that was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from relay.core.policy.ramp import Advance, Cap
from relay.core.quota.course import from_standing
from relay.core.status.report import Status

MOST_PAST_DAYS: Final = 120


@dataclass(frozen=True, slots=True)
class DayOfRoute:
    """One day. `sent` is None for a coming one, whose `cap` holds if each day's cap is used up."""

    date: date
    cap: Cap
    sent: int | None


def past(status: Status, sends: Mapping[int, int]) -> list[DayOfRoute]:
    """From the first send, or the last restart, up to today. `sends` is by ordinal of the day."""
    today, standing, policy = status.window.day, status.standing, status.route.policy
    first = today if standing.first_day is None else min(standing.first_day, today)
    sending = qualified = standing.base_days
    # Back from today: of its first day a restart has forgotten the sends before it.
    lifetime = standing.base_sends + standing.lifetime
    lifetime -= sum(sends.get(day, 0) for day in range(first, today + 1))
    found: list[DayOfRoute] = []
    for day in range(first, today):
        at = {
            Advance.CALENDAR_DAYS: standing.base_days + day - first,
            Advance.LIFETIME_SENDS: max(standing.base_sends, lifetime),
            Advance.SENDING_DAYS: sending,
            Advance.QUALIFIED_DAYS: qualified,
        }[policy.ramp.advance]
        sent, cap = sends.get(day, 0), policy.ramp.tier_at(at).cap
        if standing.graduated_at and standing.graduated_at < policy.window.boundary(_date(day)):
            cap = None
        lifetime += sent
        sending += sent > 0
        qualified += sent > 0 and sent >= policy.ramp.qualifies_from(cap)
        found.append(DayOfRoute(_date(day), 0 if policy.is_off(_date(day)) else cap, sent))
    # The window of a rolling policy holds some of yesterday, which has its own day here.
    sent = sends.get(today, 0) if status.window.slides else status.sent
    found.append(DayOfRoute(status.window.date, status.cap, sent))
    return found[-MOST_PAST_DAYS:]


def coming(status: Status) -> list[DayOfRoute]:
    """The days after today, as `Status` forecasts them; none where the warm-up is over."""
    caps = [each["cap"] for each in status.fields()["forecast"]]
    return [
        DayOfRoute(status.window.date + timedelta(days=ahead), cap, None)
        for ahead, cap in enumerate(caps)
        if ahead
    ]


def tomorrows_cap(status: Status) -> Cap:
    """The cap of the next day, with what has been sent so far."""
    standing = status.standing
    course = from_standing(status.route, status.window, standing, standing.at)
    course.pass_day(0)
    return course.cap


def _date(day: int) -> date:
    return date.fromordinal(day)
