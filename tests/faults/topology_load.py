"""Load on a store whose masters change: an independent ledger of what clients were granted."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from relay.core.config import StoreConfig
from relay.core.errors import StoreTrouble
from relay.core.quota.reservation import Granted, Verdict
from relay.core.tenants.tenancy import Route, RouteId
from relay.store import keys, open_store
from tests.contract.world import HandClock, World, fresh_route, policy
from tests.faults.store_given import NOWHERE

CLIENTS = 16
TIMEOUT_S = 1.0


@asynccontextmanager
async def relays_on(url: str, *, count: int = 2, wait_replicas: int = 0, cap: int | None = 10**6):
    """Some relays, each with connections of its own, on one route."""
    clock, route = HandClock(), fresh_route(policy((0, cap)))
    config = StoreConfig(url, TIMEOUT_S, wait_replicas)
    stores = [await open_store(config, NOWHERE, clock) for _ in range(count)]
    try:
        yield [World(store, clock, route) for store in stores]
    finally:
        for store in stores:
            await store.close()


@dataclass
class Load:
    """Clients that take quota for as long as they may.

    Some keep what they are granted in flight, so that each charge can be looked for by its
    id; on a second route of the domain, others settle at once, one in three by a refund.
    """

    worlds: list[World]
    granted: dict[str, float] = field(default_factory=dict)
    sent: int = 0
    unsettled: int = 0
    troubles: int = 0
    longest_away_s: float = 0.0
    _dice: random.Random = field(default_factory=lambda: random.Random(11))

    def __post_init__(self) -> None:
        self.kept = self.worlds[0].route
        self.settled = Route(RouteId(self.kept.id.domain, "second"), self.kept.policy)

    @asynccontextmanager
    async def running(self):
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for number in range(CLIENTS):
                route = self.settled if number % 4 == 3 else self.kept
                world = replace(self.worlds[number % len(self.worlds)], route=route)
                group.create_task(self._client(world, stop))
            try:
                yield
            finally:
                stop.set()

    async def _client(self, world: World, stop: asyncio.Event) -> None:
        worked_at = time.monotonic()
        while not stop.is_set():
            try:
                found = await world.reserve(1)
            except StoreTrouble:
                self.troubles += 1
                await asyncio.sleep(0.01)
                continue
            now = time.monotonic()
            self.longest_away_s, worked_at = max(self.longest_away_s, now - worked_at), now
            if not isinstance(found, Granted):
                return
            if world.route is self.kept:
                self.granted[found.reservation.id] = now
            else:
                await self._settle(world, found)

    async def _settle(self, world: World, found: Granted) -> None:
        verdict = self._dice.choice([Verdict.SENT, Verdict.SENT, Verdict.REFUND])
        self.sent += verdict is Verdict.SENT
        try:
            await world.settle(found.reservation, verdict)
        except StoreTrouble:
            self.unsettled += 1

    async def grows_beyond(self, count: int) -> None:
        """Wait until clients are granted something again."""
        for _ in range(500):
            if len(self.granted) > count:
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"{len(self.granted)} granted, {self.troubles} times trouble")

    def lost(self, client) -> list[str]:
        """Ids of charges that were granted and that the server of `client` has never heard of."""
        name = keys.window(self.kept.id, self.worlds[0].window.label)
        held = {field_name[2:] for field_name in client.hkeys(name) if field_name[:2] == "r:"}
        return [granted for granted in self.granted if granted not in held]

    async def over_run(self) -> int:
        """How many sends the settled route has taken that it is not charged for."""
        world = replace(self.worlds[0], route=self.settled)
        return max(0, self.sent - (await eventually(world.standing)).charged)

    async def fills_exactly(self) -> None:
        """The cap is edited to a little above what is charged: then that much is granted."""
        world = replace(self.worlds[0], route=self.kept)
        charged = (await eventually(world.standing)).charged
        world.follow(policy((0, charged + 7)))
        for _ in range(7):
            await world.granted(1)
        await world.walled(1)
        assert len(self.granted) + 7 <= charged + 7


async def eventually(call, *, within_s: float = 5.0):
    """The answer of `call` once the store is there."""
    began = time.monotonic()
    while True:
        try:
            return await call()
        except StoreTrouble:
            if time.monotonic() - began > within_s:
                raise
            await asyncio.sleep(0.05)
