"""A look-up with everything around it that a test may want to turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from relay.concurrency.background import Background
from relay.core.errors import StoreTrouble
from relay.core.providers import MxFinding, Provider, ProviderTable
from relay.providers.lookup import Lookup
from relay.providers.mx import MxResolver
from tests.harness.dns import Server, dns_server
from tests.model.provider_cache import MemoryProviderCache

TABLE = ProviderTable(
    (
        Provider("google", domains=("gmail.com",), mx=(".google.com",), path="/p/providers.yaml"),
        Provider("mimecast", mx=(".mimecast.example",)),
    )
)
ENOUGH_S = 5.0


class HandTime:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += seconds


class Cache:
    """A provider cache that counts, and that can be away or slow."""

    def __init__(self, monotonic: HandTime) -> None:
        self.kept = MemoryProviderCache(monotonic)
        self.gets: list[Sequence[str]] = []
        self.puts: list[tuple[str, MxFinding]] = []
        self.trouble: Exception | None = None
        self.delay_s = 0.0

    async def get(self, domains: Sequence[str]) -> dict[str, MxFinding]:
        self.gets.append(tuple(domains))
        await self._way()
        return await self.kept.get(domains)

    async def put(self, domain: str, finding: MxFinding) -> None:
        self.puts.append((domain, finding))
        await self._way()
        await self.kept.put(domain, finding)

    async def _way(self) -> None:
        await asyncio.sleep(self.delay_s)
        if self.trouble:
            raise self.trouble


AWAY = StoreTrouble()


@dataclass
class Given:
    """`restarted` is another process on the same store."""

    dns: Server
    time: HandTime
    cache: Cache
    background: Background
    table: ProviderTable = TABLE
    deadline_s: float = 1.0
    bounds: dict[str, int] = field(default_factory=dict)
    opened: list[Lookup] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.lookup = self.restarted()

    def restarted(self) -> Lookup:
        resolver = MxResolver(self.dns.nameservers, self.deadline_s)
        self.lookup = Lookup(
            lambda: self.table, self.cache, self.background, resolver, self.time, **self.bounds
        )
        self.opened.append(self.lookup)
        return self.lookup

    async def of(self, domain: str) -> str:
        return (await self.lookup.of([domain]))[domain]

    async def idle(self) -> None:
        """Until the DNS has been asked everything."""
        await self.background.drain(ENOUGH_S)

    async def learned(self, domain: str) -> str:
        """What `of` says the second time."""
        assert await self.of(domain) == "other"
        await self.idle()
        return await self.of(domain)


@asynccontextmanager
async def given(**more) -> AsyncIterator[Given]:
    time = HandTime()
    async with dns_server() as server:
        made = Given(server, time, Cache(time), Background(), **more)
        try:
            yield made
        finally:
            for lookup in made.opened:
                lookup.close()
            await made.background.drain(0.0)
