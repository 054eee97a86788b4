"""What the last grants of this process told of their routes, for a moment.

Owns what may be left unasked at RCPT: a route that had room a quarter of a second ago is not
looked at again before the body comes. Nothing here grants anything. The charge at the end of
DATA does, in the store and for every message (rule 1).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Final

from relay.core.quota import Standing, has_room
from relay.core.tenancy import Route
from relay.core.window import Window

FRESH_S: Final = 0.25
"""How long a standing is believed: so late may a pause be told at the end of DATA, not at RCPT."""

MOST: Final = 1024
"""Routes that are remembered; then all are forgotten."""


class Lately:
    """Standings by route, as of the last grants. `monotonic` is in seconds.

    A route is known by what it is and not by its name: a reload makes new ones, of which nothing
    is known. Those that are known stay in memory, and so keep their ids.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._known: dict[int, tuple[Route, float, Window, Standing]] = {}

    def note(self, route: Route, window: Window, standing: Standing) -> None:
        """`route` was granted something, and stands like this after it."""
        if len(self._known) >= MOST:
            self._known.clear()
        self._known[id(route)] = route, self._monotonic(), window, standing

    def forget(self, route: Route) -> None:
        """`route` has met a wall."""
        self._known.pop(id(route), None)

    def had_room(self, route: Route, now: datetime, count: int) -> bool:
        """Whether `count` more would have fitted a moment ago; False where nobody knows.

        `now` is that of the relay's clock: of another window nothing is known.
        """
        known = self._known.get(id(route))
        if known is None:
            return False
        _, noted_at, window, standing = known
        if self._monotonic() - noted_at > FRESH_S or not window.opens_at <= now < window.closes_at:
            return False
        return has_room(route, window, standing, count)
