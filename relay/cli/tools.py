"""What a command works with, beside a serving relay or instead of one.

A part of what `app.py` builds, and apart from it: a command of a second would take half of it to
load what only receives and sends mail.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from relay.clock import AnyClock, clock_for
from relay.concurrency.background import Background
from relay.core.config import Config
from relay.core.tenants.added import AddedDomain, joined
from relay.domains.wishes import offer_of
from relay.ports import Providers, QuotaStore
from relay.ports.domains import Unreadable
from relay.processes.presence import presence_in
from relay.providers import Lookup
from relay.providers.mx import MxResolver
from relay.store import open_store
from relay.store.connections.line import Line
from relay.store.ownership import Home
from relay.store.shelves.domains import RedisDomainShelf
from relay.store.shelves.provider_cache import RedisProviderCache


@dataclass(frozen=True, slots=True)
class Tools:
    """What a command beside (or instead of) a serving relay works with."""

    config: Config
    store: QuotaStore
    clock: AnyClock
    line: Line
    providers: Providers
    on_disk: Callable[[], Awaitable[None]]


@asynccontextmanager
async def open_tools(config: Config) -> AsyncIterator[Tools]:
    """The store of `config` and the clock of the relay that serves from its data directory.

    An embedded store that nobody serves is started for the time of the block. Raises
    StoreUnusable.
    """
    serving = presence_in(config.data_dir)
    clock = clock_for(Path(serving.clock) if serving and serving.clock else None)
    store = await open_store(config.store, config.data_dir, clock, share=True)
    background = Background()
    cache = RedisProviderCache(store.line)
    mx = MxResolver(config.nameservers)
    providers = Lookup(lambda: config.providers, cache, background, mx)
    try:
        yield Tools(config, store, clock, store.line, providers, store.on_disk)
    finally:
        providers.close()
        await background.drain(0)
        await store.close()


async def added_in(line: Line) -> Mapping[str, AddedDomain | Unreadable]:
    """The domains that were added while relays ran, by name. Raises StoreTrouble."""
    shelf = RedisDomainShelf(line)
    return await shelf.some(await shelf.marks())


async def with_added(config: Config) -> Config:
    """`config` with the domains that were added while relays ran. Raises as `open_tools`.

    No store is begun for it: where there is none yet, nothing was added.
    """
    if config.store.url is None and not _may_have_begun(Home(config.data_dir)):
        return config
    async with open_tools(config) as tools:
        found = await added_in(tools.line)
    added = [each for each in found.values() if isinstance(each, AddedDomain)]
    directory = joined(config.directory, added, offer_of(config)).directory
    return replace(config, directory=directory)


def _may_have_begun(home: Home) -> bool:
    """Whether a store was ever begun there; where we may not look, who opens it says why."""
    try:
        return home.directory.exists()
    except OSError:
        return True
