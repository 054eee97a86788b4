"""The caps of a route's coming days, as its status tells them.

A list of routes asks for many at once, again and again, and nearly all stand as they stood: what
was found for a route is kept until it stands elsewhere. Nothing else is kept between calls.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

from relay.core.policy.policy import Policy
from relay.core.policy.ramp import Cap
from relay.core.policy.window import Window
from relay.core.quota.course import from_standing
from relay.core.quota.standing import Standing
from relay.core.tenants.tenancy import Route, RouteId

DAYS: Final = 14
MOST_KEPT: Final = 2_000

Caps = tuple[tuple[date, Cap], ...]


@dataclass(frozen=True, slots=True)
class _Kept:
    policy: Policy
    window: Window
    standing: Standing
    caps: Caps

    def holds(self, route: Route, window: Window, standing: Standing) -> bool:
        return self.policy is route.policy and self.window == window and self.standing == standing


_kept: dict[RouteId, _Kept] = {}


def forecast(route: Route, window: Window, standing: Standing) -> Caps:
    """Each coming day and its cap, if all is used that the days before it let through.

    Whatever the provider and the class; 0 on days off, and the first unlimited day (None) is the
    last. `plan ID` says the same of more mail than that.
    """
    if route.policy.smoothing:  # what today still lets through depends on the time of day
        return _found(route, window, standing)
    known = _kept.get(route.id)
    if known is None or not known.holds(route, window, standing):
        known = _Kept(route.policy, window, standing, _found(route, window, standing))
        while len(_kept) >= MOST_KEPT:
            del _kept[next(iter(_kept))]
        _kept[route.id] = known
    return known.caps


def _found(route: Route, window: Window, standing: Standing) -> Caps:
    caps: list[tuple[date, Cap]] = []
    course = from_standing(route, window, standing, standing.at)
    for _ in range(DAYS):
        cap = 0 if course.is_off else course.cap
        caps.append((course.window.date, cap))
        if cap is None:
            break
        course.pass_day(course.room((), None).total or 0)
    return tuple(caps)
