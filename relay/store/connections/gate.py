"""Whether the store is there, found out once for everybody.

While it is away, one caller at a time tries it, others wait for that one's fate or are
turned away at once: a dead store is neither stormed nor, by asking it with reservations,
charged for mail that nobody sends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from relay.store.connections.outages import told

PAUSE_S: Final = 0.2
"""How long nobody tries after a failed proof."""


class Shut(Exception):
    """The store was found away a moment ago; it was not asked again."""


class Gate:
    """`is_open` while the store is known to answer. `prove` asks it, and raises if it does not."""

    def __init__(self, prove: Callable[[], Awaitable[None]]) -> None:
        self._prove = prove
        self._proving = asyncio.Lock()
        self.is_open = False
        self._opened_at = float("-inf")
        self._closed_until = float("-inf")
        self._why = ""

    async def passed(self) -> None:
        """Return once the store has been proven there. Raises Shut, or what `prove` raises.

        Needs a deadline of the caller's.
        """
        if self.is_open:
            return
        async with self._proving:
            if not self.is_open:
                await self._try()

    def shut(self) -> None:
        """The store failed somebody: the next caller has to prove it anew."""
        self.is_open = False

    def shut_for_a_while(self, why: str) -> None:
        """As `shut`, and nobody tries for PAUSE_S: a proof would succeed, and prove nothing."""
        self.is_open = False
        self._why = why
        self._closed_until = asyncio.get_running_loop().time() + PAUSE_S

    def open_for_s(self) -> float:
        """How long the store has answered without a failure; 0 while it is away."""
        if not self.is_open:
            return 0.0
        return asyncio.get_running_loop().time() - self._opened_at

    async def _try(self) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() < self._closed_until:
            raise Shut(f"the store was away a moment ago: {self._why}")
        try:
            await self._prove()
        except BaseException as error:
            # What ends a proof from outside is its caller's deadline.
            self._why = told(error if isinstance(error, Exception) else TimeoutError())
            self._closed_until = loop.time() + PAUSE_S
            raise
        self.is_open, self._opened_at = True, loop.time()
