"""What the last grants of this process told of their routes, for a while.

Owns what may be left unasked at RCPT: a route that had room when it last granted is not looked
at again before the body comes. Nothing here grants anything. The charge at the end of DATA does,
in the store and for every message (rule 1); a route that meets a wall there is asked at each RCPT
from then on. So what is believed too long costs one body for each session, not more.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Final

from relay.core.policy.ramp import Cap
from relay.core.policy.window import Window
from relay.core.tenants.tenancy import Route

FRESH_S: Final = 0.25
"""How long any room is believed."""

PLENTY: Final = 100
"""Room for so many messages like this one is believed for LONG_S.

To ask costs a sixth of a message: it pays where more than one of six is stopped. With room for
a hundred that takes some twenty processes that send this route's mail as fast as this one does.
"""

LONG_S: Final = 900.0
"""Long enough for mail over 100,000 domains in turn to find most of them known.

A pause is told sooner: whoever pauses a route says so, and then all are forgotten.
"""

MOST: Final = 65_536
"""Routes after which the older ones are forgotten; twice as many at most, of 0.2 kB each."""

_Known = tuple[Route, float, Window, Cap]
"""The route, when it was granted something, in which window, and the room left after it."""


class Lately:
    """Room by route, as of the last grants. `monotonic` is in seconds.

    A route is known by what it is and not by its name: a reload makes new ones, of which nothing
    is known. Those that are known stay in memory, and so keep their ids.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._known: dict[int, _Known] = {}
        self._older: dict[int, _Known] = {}

    def note(self, route: Route, window: Window, room: Cap) -> None:
        """`route` was granted something, and has `room` after it."""
        if len(self._known) >= MOST:
            self._known, self._older = {}, self._known
        self._known[id(route)] = route, self._monotonic(), window, room

    def forget(self, route: Route) -> None:
        """`route` has met a wall."""
        self._known.pop(id(route), None)
        self._older.pop(id(route), None)

    def forget_all(self) -> None:
        """Some route was paused, wherever that was."""
        self._known, self._older = {}, {}

    def had_room(self, route: Route, now: datetime, count: int) -> bool:
        """Whether `count` more would have fitted lately; False where nobody knows.

        `now` is that of the relay's clock: of another window nothing is known.
        """
        known = self._known.get(id(route)) or self._older.get(id(route))
        if known is None:
            return False
        _, noted_at, window, room = known
        if not window.opens_at <= now < window.closes_at:
            return False
        is_plenty = room is None or PLENTY * count <= room
        age_s = self._monotonic() - noted_at
        return age_s <= LONG_S if is_plenty else age_s <= FRESH_S and count <= (room or 0)
