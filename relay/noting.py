"""What happens to a route's mail, noted for the pages: off the hot path, and never a recipient.

Hears of every message when it is over. What it hears is summed up in memory and written to
the store once a second; a store that does not answer costs the notes of that second, and no
mail.
"""

from __future__ import annotations

import asyncio
from typing import Final

from relay.background import Background
from relay.core.errors import StoreTrouble
from relay.core.recent import Happening, Kind, without_addresses
from relay.core.tenancy import RouteId
from relay.ports import Clock
from relay.ports_pages import Recent
from relay.telemetry.story import Story

FLUSH_S: Final = 1.0
MOST_HELD: Final = 2_000
"""Different happenings that are held at most until they are written; more are dropped."""

_Key = tuple[RouteId, Kind, str]


class Notebook:
    """Sums up what messages met, and writes it."""

    def __init__(self, recent: Recent, clock: Clock, background: Background) -> None:
        self._recent = recent
        self._clock = clock
        self._background = background
        self._held: dict[_Key, Happening] = {}
        self._is_due = False

    def note(self, story: Story) -> None:
        """`story` is over. Nothing is noted of one that was not classified."""
        if not story.domain or not story.upstream or story.reply is None:
            return
        route = RouteId(story.domain, story.upstream)
        if story.wall:
            self._add((route, Kind.DEFERRAL, story.wall), story)
        elif story.outcome != "duplicate":
            code, enhanced = str(story.reply.code), story.reply.enhanced
            self._add((route, Kind.REPLY, f"{code} {enhanced}" if enhanced else code), story)

    def _add(self, key: _Key, story: Story) -> None:
        found = self._held.get(key)
        if found is None and len(self._held) >= MOST_HELD:
            return
        assert story.reply is not None
        text = without_addresses(story.reply.text)
        count = found.count + 1 if found else 1
        self._held[key] = Happening(
            key[1], key[2], text, self._clock.now(), count, story.wall_opens_at
        )
        if not self._is_due:
            self._is_due = True
            self._background.start(self._write_soon())

    async def _write_soon(self) -> None:
        try:
            await asyncio.sleep(FLUSH_S)
        finally:
            self._is_due = False
            held, self._held = self._held, {}
        by_route: dict[RouteId, list[Happening]] = {}
        for (route, _, _), one in held.items():
            by_route.setdefault(route, []).append(one)
        for route, happenings in by_route.items():
            try:
                await self._recent.add(route, happenings)
            except StoreTrouble:
                return  # what is left is lost; the line has logged why
