"""Store verbs that must get through, in order, even when the store is away for a while.

Settling an acceptance and forgetting it once heard may not hold an answer up for longer than
the store's own deadline, and may not be dropped either. Every verb given here must be
idempotent (`ports.QuotaStore` says which are).

What waits goes as soon as the store answers: a client may be trying again at another relay,
which knows only what the store was told (rule 3). One task knocks for all of them.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from relay.concurrency.background import Background
from relay.core.errors import StoreTrouble

log = logging.getLogger(__name__)

Verb = Callable[[], Awaitable[None]]
GivenUp = Callable[[], None]


def _nobody() -> None:
    """Who is told where nobody has to be."""


KNOCK_S: Final = 0.2
"""Pause before a store that failed is asked again, with one verb, however many wait."""

AT_ONCE: Final = 8
"""Verbs under way at once when the store is back: new mail needs it as well."""

KEEP_S: Final = 3600.0
"""What has waited for so long and fails again is given up, which only under-uses."""

MOST_WAITING: Final = 100_000
"""Reservations with verbs waiting, at most: beyond it the newest are given up at once."""


@dataclass(slots=True)
class _Waiting:
    """The verbs of one key, the first to come first, each with who is told if it is given up."""

    verbs: deque[tuple[Verb, GivenUp]]
    since_s: float = field(default_factory=time.monotonic)


class Insisting:
    """Runs verbs now if it can, else in the background; those of one key keep their order."""

    def __init__(self, background: Background) -> None:
        self._background = background
        self._waiting: dict[str, _Waiting] = {}
        self._turns: deque[str] = deque()
        self._is_knocking = False

    def __len__(self) -> int:
        return len(self._waiting)

    async def insist(self, key: str, verb: Verb, given_up: GivenUp = _nobody) -> None:
        """Run `verb`, after those of the same `key` that still wait. Never raises.

        `given_up` is called instead where the store never took it.
        """
        if key in self._waiting:
            return self._waiting[key].verbs.append((verb, given_up))
        try:
            return await verb()
        except StoreTrouble:
            return self._wait(key, verb, given_up)

    def _wait(self, key: str, verb: Verb, given_up: GivenUp) -> None:
        if key in self._waiting:  # another verb of it failed meanwhile
            return self._waiting[key].verbs.append((verb, given_up))
        if len(self._waiting) >= MOST_WAITING:
            log.error("too many settlements wait for the store; one is given up")
            return given_up()
        self._waiting[key] = _Waiting(deque([(verb, given_up)]))
        self._turns.append(key)
        if not self._is_knocking:
            self._is_knocking = True
            self._background.start(self._knock())
        return None

    async def _knock(self) -> None:
        """Try one after the other, with pauses, and all once one got through."""
        try:
            while self._waiting:
                await asyncio.sleep(KNOCK_S)
                if await self._next():
                    await asyncio.gather(*(self._rest() for _ in range(AT_ONCE)))
        finally:
            self._is_knocking = False
            if self._waiting:
                log.error("stopped before the store was told of %d sends", len(self._waiting))

    async def _rest(self) -> None:
        while self._turns and await self._next():
            pass

    async def _next(self) -> bool:
        """Run the verbs of the key whose turn it is; where one fails, the key is the last now."""
        key = self._turns.popleft()
        waiting = self._waiting[key]
        if await self._run(waiting.verbs):
            del self._waiting[key]
            return True
        if time.monotonic() - waiting.since_s < KEEP_S:
            self._turns.append(key)
        else:
            self._give_up(key)
        return False

    def _give_up(self, key: str) -> None:
        log.error("gave up settling: the sends stay charged and move no ramp")
        for _, given_up in self._waiting.pop(key).verbs:
            given_up()

    async def _run(self, verbs: deque[tuple[Verb, GivenUp]]) -> bool:
        while verbs:
            verb, given_up = verbs[0]
            try:
                await verb()
            except StoreTrouble:
                return False
            except Exception:
                log.exception("a settlement cannot be told to the store; it is given up")
                given_up()
            verbs.popleft()
        return True
