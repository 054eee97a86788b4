"""Turns: so many at once, and whoever comes when all are taken waits in line.

As a semaphore, of which one can see without a call whether a turn is to be had at once.
"""

from __future__ import annotations

import asyncio
from collections import deque


class Turns:
    """`free` turns are to be had at once; while somebody waits, none is."""

    __slots__ = ("_waiting", "free")

    def __init__(self, count: int) -> None:
        self.free = count
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def take(self) -> None:
        """Take a turn, after all who wait; to be followed by `leave`. Needs a deadline."""
        if self.free:
            self.free -= 1
            return
        mine = asyncio.get_running_loop().create_future()
        self._waiting.append(mine)
        try:
            await mine
        except BaseException:
            if not mine.cancelled():  # it was given to us at the same moment
                self.leave()
            raise

    def leave(self) -> None:
        """Give the turn back: to the one who has waited longest, if anybody does."""
        while self._waiting:
            following = self._waiting.popleft()
            if not following.done():
                following.set_result(None)
                return
        self.free += 1
