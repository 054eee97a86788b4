"""Questions to the DNS, in the background and in bounds.

At most so many at once, so many waiting, and one about a domain at a time, whoever asks.
Knows nothing of what is asked: the question is a coroutine function that never raises.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from relay.concurrency.background import Background
from relay.core.providers import MxFinding, MxKind

AT_ONCE: Final = 50
MOST_WAITING: Final = 10_000
_TELL_S: Final = 60.0

log = structlog.get_logger(__name__)

_CUT_SHORT: Final = MxFinding(MxKind.UNKNOWN, why="the question was cut short")


class Asking:
    """Runs `question` about domains, over `background`."""

    def __init__(
        self,
        question: Callable[[str], Awaitable[MxFinding]],
        background: Background,
        at_once: int = AT_ONCE,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self._question = question
        self._background = background
        self._at_once = at_once
        self._most_waiting = most_waiting
        self._waiting: OrderedDict[str, None] = OrderedDict()
        self._asked: dict[str, asyncio.Future[MxFinding]] = {}
        self._started = 0
        self._workers: set[asyncio.Task[None]] = set()
        self._is_closed = False
        self._told_at = float("-inf")

    def __len__(self) -> int:
        """Domains that wait or are being asked about."""
        return len(self._waiting) + len(self._asked)

    def __contains__(self, domain: str) -> bool:
        return domain in self._asked or domain in self._waiting

    def want(self, domain: str) -> bool:
        """Have `domain` asked about soon; False where too many wait already."""
        if domain in self:
            return True
        if self._is_closed or len(self._waiting) >= self._most_waiting:
            self._tell_full()
            return False
        self._waiting[domain] = None
        if self._started < self._at_once:
            self._started += 1
            self._background.start(self._work())
        return True

    async def at_once(self, domain: str) -> MxFinding:
        """The answer, before all that wait; of a question under way, if there is one."""
        under_way = self._asked.get(domain)
        if under_way is not None:
            return await asyncio.shield(under_way)
        self._waiting.pop(domain, None)
        return await self._ask(domain)

    def close(self) -> None:
        """Forget what waits and drop what is under way: nobody needs the answers any more."""
        self._is_closed = True
        self._waiting.clear()
        for worker in tuple(self._workers):
            worker.cancel()

    async def _work(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._workers.add(task)
        try:
            while self._waiting:
                domain, _ = self._waiting.popitem(last=False)
                await self._ask(domain)
        finally:
            self._workers.discard(task)
            self._started -= 1

    async def _ask(self, domain: str) -> MxFinding:
        answer: asyncio.Future[MxFinding] = asyncio.get_running_loop().create_future()
        self._asked[domain] = answer
        try:
            answer.set_result(await self._question(domain))
        finally:
            del self._asked[domain]
            if not answer.done():
                answer.set_result(_CUT_SHORT)
        return answer.result()

    def _tell_full(self) -> None:
        now = time.monotonic()
        if not self._is_closed and now - self._told_at > _TELL_S:
            self._told_at = now
            log.warning("providers.too_many_unknown_domains", waiting=len(self._waiting))
