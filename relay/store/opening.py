"""From a config to a store that answers."""

from __future__ import annotations

import logging
from pathlib import Path

from relay.core.config import StoreConfig
from relay.ports import Clock
from relay.store.cluster import ClusterServers
from relay.store.disk import Disk
from relay.store.durability import Acks
from relay.store.embedded import EmbeddedStore
from relay.store.line import Line
from relay.store.outages import told
from relay.store.ownership import Home, attach
from relay.store.places import CLUSTER, places_of
from relay.store.redis_store import RedisStore
from relay.store.sentinel import SentinelServers
from relay.store.topology import OneServer, Topology
from relay.store.troubles import StoreUnusable

log = logging.getLogger(__name__)


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
    shared = attach(data_dir) if share else None
    if shared is not None:
        return await _reached(line_to(shared, config.timeout_s), clock, _disk(config, data_dir))
    embedded = await EmbeddedStore.start(data_dir, config.timeout_s)
    try:
        line = line_to(embedded.url, config.timeout_s)
        return await _reached(line, clock, _disk(config, data_dir), embedded)
    except BaseException:
        await embedded.stop()
        raise


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
    line: Line, clock: Clock, disk: Disk | None = None, embedded: EmbeddedStore | None = None
) -> RedisStore:
    try:
        await line.reach()
    except StoreUnusable:
        await line.close()
        raise
    except Exception as error:  # noqa: BLE001  whatever it is, the relay defers meanwhile
        log.warning("the store does not answer yet: %s", told(error))
    return RedisStore(line, clock, disk, embedded)
