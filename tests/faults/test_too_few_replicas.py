"""`wait_replicas` without a replica, as after a failover: mail is deferred, and costs no quota."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from relay.core.config import StoreConfig
from relay.store import open_store
from tests.contract.server import bare_server
from tests.contract.world import HandClock, World, fresh_route, policy
from tests.faults.store_given import NOWHERE, TIMEOUT_S, troubled

CAP = 7


async def test_attempts_while_too_few_replicas_follow_use_up_nothing():
    clock, route = HandClock(), fresh_route(policy((0, CAP)))
    with bare_server() as server:
        waiting = await open_store(StoreConfig(server.url, TIMEOUT_S, 1), NOWHERE, clock)
        content = await open_store(StoreConfig(server.url, TIMEOUT_S), NOWHERE, clock)
        try:
            deferring = World(waiting, clock, route)
            took = await asyncio.gather(*(troubled(deferring.reserve(2)) for _ in range(20)))
            assert max(took) < 4 * TIMEOUT_S

            sending = replace(deferring, store=content)
            assert (await sending.standing()).charged == 0
            for _ in range(CAP):
                await sending.granted(1)
            await sending.walled(1)
            await troubled(deferring.reserve(1))
            assert (await sending.standing()).charged == CAP, "given back is only what was charged"
        finally:
            await waiting.close()
            await content.close()
