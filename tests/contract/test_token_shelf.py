"""Tokens of the HTTP API in a real store: made, found, noted, revoked, expired."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
import pytest_asyncio

from relay.admin.access import Access
from relay.core.tenants.access import BadGrant, Scope
from relay.core.tenants.audit import AuditWanted
from relay.store import keys
from relay.store.opening import line_to
from relay.store.shelves.audit_log import RedisAuditLog
from relay.store.shelves.tokens import RedisTokenShelf
from tests.contract.world import HandClock

READ = frozenset({Scope.READ})


@pytest_asyncio.fixture(params=("valkey", "redis_server"))
async def line(request) -> AsyncIterator[object]:
    made = line_to(request.getfixturevalue(request.param).url, 2.0)
    yield made
    await made.close()


@pytest.fixture
def shelf(line) -> RedisTokenShelf:
    return RedisTokenShelf(line)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def access(shelf, clock) -> Access:
    return Access(shelf, clock)


async def test_a_token_is_its_bearers_and_nobody_elses(access):
    made, text = await access.create("acme", READ, "ci", 3600, actor="tester")
    found = await access.bearer(text)
    assert (found.id, found.tenant, found.scopes, found.name) == (made.id, "acme", READ, "ci")
    for other in (text[:-1], text + "x", text.removeprefix("wrk_"), f"wrk_{made.id}_", "", "wrk_"):
        assert await access.bearer(other) is None


async def test_a_revoked_token_is_nobodys_from_then_on(access):
    made, text = await access.create("acme", READ, actor="tester")
    assert await access.bearer(text)
    assert await access.revoke(made.id, actor="tester")
    assert await access.bearer(text) is None
    assert not await access.revoke(made.id, actor="tester")


async def test_a_token_expires(access, clock):
    _, text = await access.create("acme", READ, lives_s=60, actor="tester")
    clock.move(seconds=59)
    assert await access.bearer(text)
    clock.move(seconds=1)
    assert await access.bearer(text) is None


async def test_the_last_use_is_noted_to_some_minutes(access, clock):
    made, text = await access.create("acme", READ, actor="tester")

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
    made, text = await access.create("acme", READ, actor="tester")
    await access.revoke(made.id, actor="tester")
    await shelf.used(made.id, clock.now())
    assert await access.bearer(text) is None
    assert made.id not in {token.id for token in await access.tokens()}


async def test_the_store_never_holds_the_secret(valkey, clock):
    line = line_to(valkey.url, 2.0)
    made, text = await Access(RedisTokenShelf(line), clock).create("acme", READ, actor="tester")
    await line.close()
    with valkey.client() as raw:
        kept = raw.hget(keys.TOKENS, made.id)
    assert "hmac-sha256$" in kept
    assert text.rpartition("_")[2] not in kept


RATE = (600, 100)


async def test_who_is_admitted_is_its_bearer_and_nobody_else(access):
    made, text = await access.create("acme", READ, "ci", 3600, actor="tester")
    bearer = await access.bearer(text)
    others = (text[:-1], text + "x", text.removeprefix("wrk_"), f"wrk_{made.id}_", "", "wrk_")
    for _ in range(3):
        found, wait_s = await access.admitted(text, *RATE)
        assert (found, wait_s) == (bearer, 0.0)
        for other in others:
            assert await access.admitted(other, *RATE) is None


async def test_a_token_known_from_before_is_asked_for_each_time(access, shelf, clock):
    """As processes beside each other have it: one of them revokes, another one admits."""
    made, text = await access.create("acme", READ, actor="tester")
    here, there = Access(shelf, clock), Access(shelf, clock)
    assert await here.admitted(text, *RATE)
    assert await there.revoke(made.id, actor="tester")
    assert await here.admitted(text, *RATE) is None
    assert await here.admitted(text, *RATE) is None


async def test_a_token_known_from_before_expires(access, clock):
    _, text = await access.create("acme", READ, lives_s=60, actor="tester")
    assert await access.admitted(text, *RATE)
    clock.move(seconds=59)
    assert await access.admitted(text, *RATE)
    clock.move(seconds=1)
    assert await access.admitted(text, *RATE) is None


async def test_each_request_takes_one_and_others_than_its_bearer_none(access):
    made, text = await access.create("acme", READ, actor="tester")
    assert (await access.admitted(text, 60, 4))[1] == 0
    for _ in range(10):
        assert await access.admitted(f"wrk_{made.id}_wrong", 60, 4) is None
    waits = [(await access.admitted(text, 60, 4))[1] for _ in range(5)]
    assert waits[:3] == [0, 0, 0]
    assert 0 < waits[-1] <= 1


async def test_an_admission_is_one_round_trip_once_the_token_is_proven(access, line, monkeypatch):
    _, text = await access.create("acme", READ, actor="tester")
    await access.admitted(text, *RATE)
    said, ask_all = [], line.ask_all

    async def counted(commands):
        said.append([command.verb for command in commands])
        return await ask_all(commands)

    monkeypatch.setattr(line, "ask_all", counted)
    await access.admitted(text, *RATE)
    assert said == [["get token", "meter"]]


async def test_an_admission_is_a_use_that_is_noted_to_some_minutes(access, clock):
    made, text = await access.create("acme", READ, actor="tester")

    async def noted():
        return next(t.last_used_at for t in await access.tokens() if t.id == made.id)

    await access.admitted(text, *RATE)
    first = clock.now()
    clock.move(minutes=4)
    await access.admitted(text, *RATE)
    assert await noted() == first
    clock.move(minutes=2)
    found, _ = await access.admitted(text, *RATE)
    assert await noted() == found.last_used_at == first + timedelta(minutes=6)


async def test_what_is_known_of_tokens_is_bounded(access, shelf, monkeypatch):
    monkeypatch.setattr("relay.admin.access.MOST_PROVEN", 3)
    monkeypatch.setattr("relay.store.shelves.tokens.MOST_READ", 3)
    texts = [(await access.create("acme", READ, actor="tester"))[1] for _ in range(6)]
    for text in (*texts, *texts):
        assert await access.admitted(text, *RATE)
    assert len(access._proven) == len(shelf._read) == 3


async def noted_of(line, token_id):
    return await RedisAuditLog(line).page(AuditWanted(subject=f"token {token_id}"), 10)


async def test_what_is_done_to_a_token_is_in_the_audit_log(access, line, clock):
    made, text = await access.create("acme", READ, "ci", 3600, actor="user olga")
    clock.move(seconds=1)
    assert await access.revoke(made.id, actor="command line (root)")
    assert not await access.revoke(made.id, actor="nobody")
    revoked, created = await noted_of(line, made.id)
    assert (created.action, created.actor, created.tenant) == ("create-token", "user olga", "acme")
    assert created.after == {
        "name": "ci", "scopes": ["read"], "expires_at": "2026-03-10T13:00:00Z",
    }  # fmt: skip
    assert (revoked.action, revoked.actor) == ("revoke-token", "command line (root)")
    assert (created.before, revoked.before, revoked.after) == ({}, created.after, {})
    assert text.rpartition("_")[2] not in str((created, revoked))


async def test_a_change_that_is_said_again_is_the_same_change(shelf, line, clock, access):
    made, _ = await access.create("acme", READ, actor="tester")
    [entry] = await noted_of(line, made.id)
    assert await shelf.add(made, entry), "as after a lost reply"
    gone = replace(entry, id=f"{entry.id}x", action="revoke-token")
    assert [await shelf.remove(made.id, gone) for _ in range(2)] == [True, True]
    assert await shelf.get(made.id) is None
    assert len(await noted_of(line, made.id)) == 2
    other = replace(gone, id=f"{entry.id}y")
    assert not await shelf.remove(made.id, other)
    assert len(await noted_of(line, made.id)) == 2


@pytest.mark.parametrize(
    ("tenant", "scopes", "name", "lives_s"),
    [("acme", set(), "", None), (None, READ, "", None), ("acme", {Scope.OPERATOR}, "", None),
     ("acme", READ, "x" * 81, None), ("acme", READ, "a\nb", None), ("acme", READ, "", 1e15)],
)  # fmt: skip
async def test_a_grant_that_makes_no_sense_is_refused(access, tenant, scopes, name, lives_s):
    with pytest.raises(BadGrant):
        await access.create(tenant, frozenset(scopes), name, lives_s, actor="tester")
