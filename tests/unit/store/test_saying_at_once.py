"""When a settlement need not be waited for: it goes out in the next turn of the loop, for certain."""

from __future__ import annotations

import asyncio

from relay.core.config import StoreConfig
from relay.store import open_store
from relay.store.connections.durability import Acks
from relay.store.connections.node import CONNECTIONS, Node
from relay.store.connections.pool import Pool
from tests.contract.world import HandClock, World, fresh_route, policy


async def proven(node: Node) -> None:
    """Nothing to be proven."""


def a_node(acks: Acks | None = None) -> Node:
    return Node(Pool("redis://127.0.0.1:1", 1.0), proven, acks)


async def test_a_server_that_is_not_proven_there_is_asked_first():
    node = a_node()
    assert not node.says_at_once()
    await node.gate.passed()
    assert node.says_at_once()
    await node.lost()
    assert not node.says_at_once()


async def test_what_replicas_have_to_acknowledge_is_waited_for():
    node = a_node(Acks(1, 100))
    await node.gate.passed()
    assert not node.says_at_once()


async def test_with_all_turns_taken_it_has_to_wait(make_store, tmp_path):
    clock = HandClock()
    server = make_store()
    store = await open_store(StoreConfig(server.url, timeout_s=5), tmp_path, clock)
    world = World(store, clock, fresh_route(policy((0, None))))
    try:
        await world.send(1)
        assert store.says_at_once()
        under_way = [asyncio.create_task(world.reserve(1)) for _ in range(CONNECTIONS)]
        await asyncio.sleep(0)
        assert not store.says_at_once()
        await asyncio.gather(*under_way)
        assert store.says_at_once()
    finally:
        await store.close()
