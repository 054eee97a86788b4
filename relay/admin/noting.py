"""What happens to a route's mail, noted for the pages: off the hot path, and never a recipient.

Hears of every message when it is over. What it hears is summed up in memory and written to
the store once a second; a store that does not answer costs the notes of that second, and no
mail.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from relay.concurrency.background import Background
from relay.core.errors import StoreTrouble
from relay.core.status.recent import Happening, Kind, without_addresses
from relay.core.tenants.tenancy import RouteId
from relay.ports import Clock
from relay.ports.pages import Recent
from relay.telemetry.story import Story

FLUSH_S: Final = 1.0
MOST_HELD: Final = 2_000
"""Different happenings that are held at most until they are written; more are dropped."""

_Key = tuple[str, str, str, int, str | None]
"""Domain and upstream, and what was met: the wall, or else the code and detail of the reply."""


@dataclass(slots=True)
class _Sum:
    """`count` stories that met the same, the last of them ended at `at`."""

    count: int
    last: Story
    at: datetime


class Notebook:
    """Sums up what messages met, and writes it."""

    def __init__(self, recent: Recent, clock: Clock, background: Background) -> None:
        self._recent = recent
        self._clock = clock
        self._background = background
        self._held: dict[_Key, _Sum] = {}
        self._is_due = False

    def note(self, story: Story) -> None:
        """`story` is over. Nothing is noted of one that was not classified."""
        reply = story.reply
        if not story.domain or not story.upstream or reply is None:
            return
        if story.wall:
            self._add((story.domain, story.upstream, story.wall, 0, None), story)
        elif story.outcome != "duplicate":
            self._add((story.domain, story.upstream, "", reply.code, reply.detail), story)

    def _add(self, key: _Key, story: Story) -> None:
        found = self._held.get(key)
        if found is not None:
            found.count += 1
            found.last, found.at = story, self._clock.now()
        elif len(self._held) < MOST_HELD:
            self._held[key] = _Sum(1, story, self._clock.now())
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
        for (domain, upstream, *_), one in held.items():
            by_route.setdefault(RouteId(domain, upstream), []).append(_happening(one))
        for route, happenings in by_route.items():
            try:
                await self._recent.add(route, happenings)
            except StoreTrouble:
                return  # what is left is lost; the line has logged why


def _happening(found: _Sum) -> Happening:
    story, reply = found.last, found.last.reply
    assert reply is not None
    text = without_addresses(reply.text)
    if story.wall:
        opens_at = story.wall_opens_at
        return Happening(Kind.DEFERRAL, story.wall, text, found.at, found.count, opens_at)
    label = f"{reply.code} {reply.enhanced}" if reply.enhanced else str(reply.code)
    return Happening(Kind.REPLY, label, text, found.at, found.count)
