"""Relays that are killed at any instant and come back, and what was under way in each then."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Sequence

from tests.harness.letters import Book, Letter
from tests.harness.relay_process import RelayProcess

STARTING_S = 0.8
"""About how long a relay takes to start."""


class Fleet:
    """`relays` by number, as in `book`. `caught` is what was under way at all kills so far.

    `early` is the chance that one that starts is killed again before it is ready.
    """

    def __init__(
        self,
        relays: Sequence[RelayProcess],
        book: Book,
        dice: random.Random,
        *,
        early: float = 0.0,
    ) -> None:
        self.relays = relays
        self._early = early
        self.kills = 0
        self.caught: list[Letter] = []
        self._book = book
        self._dice = dice
        self._coming: dict[int, asyncio.Task[None]] = {}

    @property
    def up(self) -> list[int]:
        """Those that are not dead or starting."""
        for number in [n for n, task in self._coming.items() if task.done()]:
            self._coming.pop(number).result()
        return [number for number in range(len(self.relays)) if number not in self._coming]

    async def kill_one(self) -> None:
        """SIGKILL to one that is up (the first that is, if none is); it starts again by itself."""
        while not self.up:
            await asyncio.wait(self._coming.values(), return_when=asyncio.FIRST_COMPLETED)
        number = self._dice.choice(self.up)
        self._strike(number)
        self._coming[number] = asyncio.create_task(self._revive(number))

    def _strike(self, number: int) -> None:
        # One step of the loop: nothing that a client hears comes between the two.
        self.relays[number].child.send(signal.SIGKILL)
        self.caught += self._book.killed(number)
        self.kills += 1

    async def all_up(self) -> None:
        """Wait until every relay is."""
        await asyncio.gather(*self._coming.values())
        assert len(self.up) == len(self.relays)

    async def _revive(self, number: int) -> None:
        relay = self.relays[number]
        await asyncio.to_thread(relay.kill9)
        while self._dice.random() < self._early:
            relay.launch()
            await asyncio.sleep(self._dice.uniform(0, STARTING_S))
            self._strike(number)
            await asyncio.to_thread(relay.kill9)
        await asyncio.to_thread(relay.restart)
