"""Store verbs that must get through, in order, even when the store is away for a while.

Settling an acceptance and forgetting it once heard may not hold an answer up for longer than
the store's own deadline, and may not be dropped either. Every verb given here must be
idempotent (`ports.QuotaStore` says which are).
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from relay.background import Background
from relay.core.errors import StoreTrouble

log = logging.getLogger(__name__)

Verb = Callable[[], Awaitable[None]]

PAUSES_S: Final = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0)
"""Waits between attempts; after the last one the verbs are given up, which only under-uses."""

MOST_WAITING: Final = 100_000
"""Reservations with verbs waiting, at most: beyond it the newest are given up at once."""


class Insisting:
    """Runs verbs now if it can, else in the background; those of one key keep their order."""

    def __init__(self, background: Background) -> None:
        self._background = background
        self._waiting: dict[str, deque[Verb]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    async def insist(self, key: str, verb: Verb) -> None:
        """Run `verb`, after those of the same `key` that still wait. Never raises."""
        if key in self._waiting:
            return self._waiting[key].append(verb)
        with suppress(StoreTrouble):
            return await verb()
        if len(self._waiting) >= MOST_WAITING:
            return log.error("too many settlements wait for the store; one is given up")
        self._waiting[key] = deque([verb])
        return self._background.start(self._later(key))

    async def _later(self, key: str) -> None:
        verbs = self._waiting[key]
        try:
            for pause_s in PAUSES_S:
                await asyncio.sleep(pause_s)
                if await self._run(verbs):
                    return
            log.error("gave up settling: the sends stay charged and move no ramp")
        finally:
            del self._waiting[key]

    async def _run(self, verbs: deque[Verb]) -> bool:
        while verbs:
            try:
                await verbs[0]()
            except StoreTrouble:
                return False
            verbs.popleft()
        return True
