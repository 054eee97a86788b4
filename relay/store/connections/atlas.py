"""The map of a cluster: drawn from what its servers say, and drawn again when it is in doubt.

Owns when and whom to ask. Bounded on both sides: whoever needs a server that failed waits for
a new map, but no two are drawn at once, and none within `PAUSE_S` of the last; those who need
another server do not wait at all.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from redis.exceptions import ClusterDownError, ResponseError

from relay.store.connections.outages import told
from relay.store.connections.places import Address, Places
from relay.store.connections.pool import Pool
from relay.store.connections.slotmap import SlotMap, slot_map

PAUSE_S: Final = 0.2
"""Least time between two maps."""

AFTER_MOVED_S: Final = 1.0
"""Least time between two maps that are drawn because slots move: a reshard moves many."""

ASK_SHARE: Final = 0.2
"""How much of a deadline one server has to answer in: one that is frozen costs this."""

MOST_ASKED: Final = 4


class NoMap(Exception):
    """No server of the cluster that was asked told its slots. Time may cure it."""


class Atlas:
    """The map of the cluster behind `places`."""

    def __init__(self, places: Places, timeout_s: float) -> None:
        self._places = places
        self._timeout_s = timeout_s
        self._map = SlotMap((), frozenset())
        self._moved: dict[int, Address] = {}
        self._doubted: set[Address] = set()
        self._drawing = asyncio.Lock()
        self._drawn_at = float("-inf")
        self._edition = 0
        self._dice = random.Random()  # noqa: S311 - whom to ask first  # nosec B311

    async def master_of(self, slot: int, until: float) -> Address:
        """The server that holds `slot`; from a new map if that one failed somebody.

        Raises ClusterDownError if none does.
        """
        found = self._known(slot)
        if found is None or found in self._doubted:
            await self._redrawn(until, PAUSE_S, wait=True)
            found = self._known(slot)
        if found is None:
            raise ClusterDownError(f"no server of the cluster holds slot {slot}")
        return found

    def moved(self, slot: int, there: Address) -> None:
        """A server said so."""
        self._moved[slot] = there

    def doubt(self, address: Address) -> None:
        """The server at `address` failed: another one may hold its slots by now."""
        self._doubted.add(address)

    @property
    def edition(self) -> int:
        """How many maps were drawn."""
        return self._edition

    def uses(self, address: Address) -> bool:
        """Whether commands may go to `address`."""
        return address in self._map.masters or address in self._moved.values()

    async def redraw(self, until: float) -> None:
        """Slots have moved: draw a new map unless there is a fresh one. Never raises."""
        await self._redrawn(until, AFTER_MOVED_S, wait=False)

    async def draw(self) -> SlotMap:
        """A new map. Needs a deadline. Raises NoMap."""
        async with self._drawing:
            return await self._draw()

    async def _redrawn(self, until: float, pause_s: float, *, wait: bool) -> None:
        if self._drawing.locked() and not wait:
            return
        with suppress(NoMap, TimeoutError):
            async with asyncio.timeout_at(until), self._drawing:
                if asyncio.get_running_loop().time() - self._drawn_at >= pause_s:
                    await self._draw()

    async def _draw(self) -> SlotMap:
        whys = []
        try:
            for address in self._whom_to_ask():
                try:
                    found = await self._asked(address)
                except Exception as error:  # noqa: BLE001  whatever it is, others may answer
                    whys.append(f"{address}: {told(error)}")
                    continue
                self._map, self._edition = found, self._edition + 1
                self._moved.clear()
                self._doubted.clear()
                return found
        finally:
            self._drawn_at = asyncio.get_running_loop().time()
        raise NoMap(f"no server told the slots of the cluster: {'; '.join(whys)}")

    async def _asked(self, address: Address) -> SlotMap:
        pool = Pool(self._places.url(address), self._timeout_s)
        try:
            async with asyncio.timeout(self._timeout_s * ASK_SHARE):
                (answer,) = await pool.converse([("CLUSTER", "SLOTS")])
        finally:
            await pool.close()
        if isinstance(answer, ResponseError):
            raise answer
        if not answer:
            raise NoMap("it knows of no slots")
        return slot_map(answer, address)

    def _whom_to_ask(self) -> Iterator[Address]:
        """A few, in a random order: those that failed somebody last."""
        known = {*self._map.masters, *self._map.replicas, *self._places.seeds}
        mixed = sorted(known, key=lambda _: self._dice.random())
        yield from sorted(mixed, key=lambda address: address in self._doubted)[:MOST_ASKED]

    def _known(self, slot: int) -> Address | None:
        return self._moved.get(slot) or self._map.master_of(slot)
