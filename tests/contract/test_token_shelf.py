"""Tokens of the HTTP API in a real store: made, found, noted, revoked, expired."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio

from relay.access import Access
from relay.core.access import Scope
from relay.store import keys
from relay.store.opening import line_to
from relay.store.token_shelf import RedisTokenShelf
from tests.contract.world import HandClock

READ = frozenset({Scope.READ})


@pytest_asyncio.fixture(params=("valkey", "redis_server"))
async def shelf(request) -> AsyncIterator[RedisTokenShelf]:
    line = line_to(request.getfixturevalue(request.param).url, 2.0)
    yield RedisTokenShelf(line)
    await line.close()


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def access(shelf, clock) -> Access:
    return Access(shelf, clock)


async def test_a_token_is_its_bearers_and_nobody_elses(access):
    made, text = await access.create("acme", READ, "ci", 3600)
    found = await access.bearer(text)
    assert (found.id, found.tenant, found.scopes, found.name) == (made.id, "acme", READ, "ci")
    for other in (text[:-1], text + "x", text.removeprefix("wrk_"), f"wrk_{made.id}_", "", "wrk_"):
        assert await access.bearer(other) is None


async def test_a_revoked_token_is_nobodys_from_then_on(access):
    made, text = await access.create("acme", READ)
    assert await access.bearer(text)
    assert await access.revoke(made.id)
    assert await access.bearer(text) is None
    assert not await access.revoke(made.id)


async def test_a_token_expires(access, clock):
    _, text = await access.create("acme", READ, lives_s=60)
    clock.move(seconds=59)
    assert await access.bearer(text)
    clock.move(seconds=1)
    assert await access.bearer(text) is None


async def test_the_last_use_is_noted_to_some_minutes(access, clock):
    made, text = await access.create("acme", READ)

    async def noted():
        return next(t.last_used_at for t in await access.tokens() if t.id == made.id)

    assert await noted() is None
    await access.bearer(text)
    first = clock.now()
    assert await noted() == first
    clock.move(minutes=4)
    await access.bearer(text)
    assert await noted() == first
    clock.move(minutes=2)
    await access.bearer(text)
    assert await noted() == first + timedelta(minutes=6)


async def test_a_use_that_is_noted_late_does_not_bring_a_revoked_token_back(access, shelf, clock):
    made, text = await access.create("acme", READ)
    await access.revoke(made.id)
    await shelf.used(made.id, clock.now())
    assert await access.bearer(text) is None
    assert made.id not in {token.id for token in await access.tokens()}


async def test_the_store_never_holds_the_secret(valkey, clock):
    line = line_to(valkey.url, 2.0)
    made, text = await Access(RedisTokenShelf(line), clock).create("acme", READ)
    await line.close()
    with valkey.client() as raw:
        kept = raw.hget(keys.TOKENS, made.id)
    assert "hmac-sha256$" in kept
    assert text.rpartition("_")[2] not in kept
