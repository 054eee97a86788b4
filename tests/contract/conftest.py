"""One world per implementation of `ports.QuotaStore`; the servers are shared by all tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator

import pytest
import pytest_asyncio

from relay.core.config import StoreConfig
from relay.store import open_store
from relay.store.memory import MemoryStore
from tests.contract.server import BareServer, bare_server
from tests.contract.world import HandClock, World, fresh_route, policy
from tests.harness.cluster import Cluster
from tests.harness.members import running
from tests.harness.store import StoreServer

KINDS = ("memory", "valkey", "redis", "cluster")


@pytest.fixture(scope="session")
def valkey() -> Iterator[BareServer]:
    with bare_server() as server:
        yield server


@pytest.fixture(scope="session")
def redis_server() -> Iterator[StoreServer]:
    """The distribution's server, over TCP and with a password."""
    server = StoreServer()
    try:
        yield server.start()
    finally:
        server.close()


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Three masters with a replica each."""
    with running(Cluster()) as servers:
        yield servers


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest_asyncio.fixture(params=KINDS)
async def world(request, clock, tmp_path) -> AsyncIterator[World]:
    route = fresh_route(policy())
    if request.param == "memory":
        yield World(MemoryStore(clock), clock, route)
        return
    name = {"redis": "redis_server"}.get(request.param, request.param)
    server = request.getfixturevalue(name)
    store = await open_store(StoreConfig(server.url), tmp_path, clock)
    yield World(store, clock, route)
    await store.close()


@pytest_asyncio.fixture
async def real_world(valkey, clock, tmp_path) -> AsyncIterator[World]:
    """A world on the real server only, for what the model does not have."""
    store = await open_store(StoreConfig(valkey.url), tmp_path, clock)
    yield World(store, clock, fresh_route(policy()))
    await store.close()


@pytest.fixture
def raw(valkey) -> Iterator[Callable]:
    """A plain client of the real server."""
    with valkey.client() as client:
        yield client
