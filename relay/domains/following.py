"""The domains that were added, followed: what the store has is in force here within a second.

Asks again and again for one short text, which is another one after every change, and then reads
only what has changed. While the store is away all stays as it was. A record that is not one of
ours is left out and told in the log; the others come in. A pause of any route makes the text
another one too: who believes that routes have room hears of it here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

import structlog

from relay.concurrency.waiting import set_within
from relay.core.errors import StoreTrouble
from relay.core.tenants.added import AddedDomain
from relay.ports.domains import DomainShelf, Unreadable
from relay.settings.live import LiveSettings

EVERY_S: Final = 0.25
AWAY_S: Final = 0.5
"""How long to wait before a store that did not answer is asked again."""

log = structlog.get_logger("relay")


class Following:
    """Keeps `settings` in line with `shelf`. One for a process, in one loop.

    Each of `told` is called when something has changed: a domain, or that a route is paused.
    """

    def __init__(
        self, settings: LiveSettings, shelf: DomainShelf, *told: Callable[[], None]
    ) -> None:
        self._settings = settings
        self._shelf = shelf
        self._told_of_change = told
        self._edition: str | None = None
        self._marks: Mapping[str, str] = {}
        self._told: set[tuple[str, str]] = set()
        self._turn = asyncio.Lock()
        settings.await_domains()

    async def catch_up(self) -> None:
        """Read what has changed, and put it in force. Raises StoreTrouble: nothing changed."""
        async with self._turn:
            edition = await self._shelf.edition()
            if edition == self._edition:
                return
            for tell in self._told_of_change:
                tell()
            marks = await self._shelf.marks()
            if self._edition is None or marks != self._marks:
                await self._read(marks)
            self._edition, self._marks = edition, marks

    async def begin(self) -> None:
        """`catch_up` before mail is taken; a store that is away keeps nobody from starting."""
        with suppress(StoreTrouble):
            await self.catch_up()

    async def follow(self, stop: asyncio.Event) -> None:
        """`catch_up` again and again until `stop` is set. Ends with nothing else."""
        while not stop.is_set():
            pause_s = EVERY_S
            try:
                await self.catch_up()
            except StoreTrouble:
                pause_s = AWAY_S
            except Exception:
                log.exception("following the added domains failed")
                pause_s = AWAY_S
            await set_within(stop, pause_s)

    async def _read(self, marks: Mapping[str, str]) -> None:
        """What is unchanged is taken over; what is gone from `marks` is left behind."""
        known = self._settings.added
        kept = {name: known[name] for name in marks if self._is_current(name, marks)}
        found = await self._shelf.some([name for name in marks if name not in kept])
        for name, each in found.items():
            if isinstance(each, AddedDomain):
                kept[name] = each
            else:
                self._tell(name, each)
        before, after = known.keys(), kept.keys()
        self._settings.add_domains(kept)
        if before != after:
            log.info(
                "domains added or removed", added=len(after - before), removed=len(before - after)
            )

    def _is_current(self, name: str, marks: Mapping[str, str]) -> bool:
        return name in self._settings.added and self._marks.get(name) == marks[name]

    def _tell(self, name: str, each: Unreadable) -> None:
        if (name, each.why) not in self._told:
            self._told.add((name, each.why))
            log.error("an added domain cannot be read and is left out", domain=name, why=each.why)
