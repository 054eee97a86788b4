"""`wait_replicas` without a replica, as after a failover: mail is deferred, and costs no quota.

Whoever looks at the relay meanwhile sees what is in the store.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from relay.core.config import StoreConfig
from relay.core.status.recent import Happening, Kind
from relay.core.tenants.audit import AuditWanted
from relay.core.tenants.users import Session
from relay.store import open_store
from relay.store.shelves.audit_log import RedisAuditLog
from relay.store.shelves.domains import RedisDomainShelf
from relay.store.shelves.history import RedisHistory, RedisRecent
from relay.store.shelves.tokens import RedisTokenShelf
from relay.store.shelves.users import RedisAttempts, RedisSessionShelf, RedisUserShelf
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
            assert (await waiting.ping(), await content.ping()) == (False, True)
            assert (await sending.standing()).charged == CAP, "given back is only what was charged"
        finally:
            await waiting.close()
            await content.close()


async def test_what_only_reads_is_answered_while_too_few_replicas_follow():
    clock, route = HandClock(), fresh_route(policy((0, CAP)))
    with bare_server() as server:
        waiting = await open_store(StoreConfig(server.url, TIMEOUT_S, 1), NOWHERE, clock)
        try:
            line, domains = waiting.line, RedisDomainShelf(waiting.line)
            assert await RedisUserShelf(line).get("nobody") is None
            assert await RedisUserShelf(line).all() == []
            assert await RedisTokenShelf(line).all() == []
            assert await RedisAuditLog(line).page(AuditWanted(), 10) == []
            assert await RedisHistory(line).days(route.id) == {}
            assert await RedisHistory(line).lately([(route.id, 9)], 2) == [[0, 0]]
            assert await domains.edition() == ""
            assert await domains.marks() == {}
            assert await domains.some(["a.example"]) == {}
            assert (await waiting.standing(route, route.policy.window.at(clock.now()))).sent == 0
        finally:
            await waiting.close()


async def test_a_user_can_sign_in_while_too_few_replicas_follow():
    clock, route = HandClock(), fresh_route(policy((0, CAP)))
    with bare_server() as server:
        waiting = await open_store(StoreConfig(server.url, TIMEOUT_S, 1), NOWHERE, clock)
        try:
            attempts, sessions = RedisAttempts(waiting.line), RedisSessionShelf(waiting.line)
            assert await attempts.take("user", 5) == 0
            await attempts.forgive("user", 5)
            await attempts.clear("user")
            session = Session("user", "mark", "csrf", clock.now())
            await sessions.put("digest", session, 60)
            assert await sessions.get("digest") == session
            await troubled(sessions.remove("digest"))  # who signs out is to be sure of it

            recent = RedisRecent(waiting.line)
            deferral = Happening(Kind.DEFERRAL, "route", "deferred", clock.now(), 1)
            await recent.add(route.id, [deferral])
            assert await recent.of(route.id) == [deferral]
        finally:
            await waiting.close()
