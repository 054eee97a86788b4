"""From a config to a store that answers."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Final, NamedTuple

from relay.core.config import StoreConfig
from relay.ports import Clock
from relay.store.connections.cluster import ClusterServers
from relay.store.connections.durability import Acks
from relay.store.connections.line import Line
from relay.store.connections.outages import told
from relay.store.connections.places import CLUSTER, places_of
from relay.store.connections.sentinel import SentinelServers
from relay.store.connections.topology import OneServer, Topology
from relay.store.embedded.disk import Disk
from relay.store.embedded.store import EmbeddedStore, answer_on
from relay.store.ownership import Borrower, Home, attach
from relay.store.redis_store import RedisStore
from relay.store.troubles import SecondOwner, StoreUnusable

log = logging.getLogger(__name__)

PATIENCE_S: Final = 3.0
"""How long a command waits for a store that another process starts or ends just now."""

_POLL_S: Final = 0.05


async def open_store(
    config: StoreConfig, data_dir: Path, clock: Clock, *, share: bool = False
) -> RedisStore:
    """The store of `config`; the embedded one lives below `data_dir`.

    With `share`, a running relay's embedded store is used where there is one, which is what
    a command line beside it wants. A server that does not answer is no reason to fail: the
    relay then starts and defers (rule 5). Raises StoreUnusable for what time does not cure.
    Call it in the main thread; the store is bound to the running loop.
    """
    if config.url is not None:
        # A worker is given the URL of the embedded server that its supervisor started.
        disk = _disk(config, data_dir) if config.url == attach(data_dir) else None
        line = line_to(config.url, config.timeout_s, config.wait_replicas)
        return await _reached(line, clock, disk)
    found = (
        await _shared_or_own(data_dir, config.timeout_s)
        if share
        else await EmbeddedStore.start(data_dir, config.timeout_s)
    )
    if isinstance(found, _Shared):
        line = line_to(found.url, config.timeout_s)
        return await _reached(line, clock, _disk(config, data_dir), borrower=found.borrower)
    embedded = found
    try:
        line = line_to(embedded.url, config.timeout_s)
        return await _reached(line, clock, _disk(config, data_dir), embedded)
    except BaseException:
        await embedded.stop()
        raise


class _Shared(NamedTuple):
    url: str
    borrower: Borrower | None


async def _shared_or_own(data_dir: Path, timeout_s: float) -> _Shared | EmbeddedStore:
    """The store that a process serves in `data_dir`, or else one that is ours.

    That process may be a command like this one, whose store begins or ends meanwhile: it is
    asked again for a while. Raises StoreUnusable.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + PATIENCE_S
    while True:
        try:
            url = attach(data_dir)
            if url is None:
                return await EmbeddedStore.start(data_dir, timeout_s, waits=True)
            borrower = Borrower.enter(Home(data_dir))
            if loop.time() > until or (borrower and await _is_there(data_dir)):
                return _Shared(url, borrower)
            if borrower:
                borrower.close()
        except SecondOwner:
            if loop.time() > until:
                raise
        await asyncio.sleep(_POLL_S)


async def _is_there(data_dir: Path) -> bool:
    socket = Home(data_dir).noted_socket()
    return socket is not None and bool(await answer_on(socket))


def line_to(url: str, timeout_s: float, wait_replicas: int = 0) -> Line:
    """The line to the server or servers at `url`. Raises StoreUnusable for a bad one."""
    acks = Acks.within(wait_replicas, timeout_s)
    return Line(_servers(url, timeout_s, acks), timeout_s, waits=wait_replicas > 0)


def _servers(url: str, timeout_s: float, acks: Acks) -> Topology:
    places = places_of(url)
    if places is None:
        return OneServer(url, timeout_s, acks)
    if places.kind == CLUSTER:
        return ClusterServers(places, timeout_s, acks)
    return SentinelServers(places, timeout_s, acks)


def _disk(config: StoreConfig, data_dir: Path) -> Disk:
    return Disk(Home(data_dir).noted_sync_socket, config.timeout_s)


async def _reached(
    line: Line,
    clock: Clock,
    disk: Disk | None = None,
    embedded: EmbeddedStore | None = None,
    borrower: Borrower | None = None,
) -> RedisStore:
    try:
        await line.reach()
    except StoreUnusable:
        await line.close()
        raise
    except Exception as error:  # noqa: BLE001  whatever it is, the relay defers meanwhile
        log.warning("the store does not answer yet: %s", told(error))
    return RedisStore(line, clock, disk, embedded, borrower)
