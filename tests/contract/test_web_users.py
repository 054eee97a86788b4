"""Users, sessions, attempts and what happened lately in a real store; signing in over it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from itertools import count

import pytest
import pytest_asyncio
from argon2 import PasswordHasher

from relay.admin.recording import entry
from relay.admin.users import FREE_PER_USER, SigningIn, Users
from relay.core.status.recent import MOST_KEPT, Happening, Kind
from relay.core.tenants.audit import AuditWanted
from relay.core.tenants.tenancy import RouteId
from relay.core.tenants.users import BadUser, Session, User
from relay.ports.pages import NoEntry
from relay.store import keys
from relay.store.opening import line_to
from relay.store.shelves import users as web_users
from relay.store.shelves.audit_log import RedisAuditLog
from relay.store.shelves.history import RedisHistory, RedisRecent
from relay.store.shelves.users import RedisAttempts, RedisSessionShelf, RedisUserShelf
from tests.contract.world import HandClock

PASSWORD = "correct horse battery staple"
_numbers = count()


@pytest_asyncio.fixture(params=("valkey", "redis_server"))
async def line(request) -> AsyncIterator[object]:
    made = line_to(request.getfixturevalue(request.param).url, 2.0)
    yield made
    await made.close()


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def name() -> str:
    return f"user{next(_numbers)}"


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch) -> None:
    """A hash takes 50 ms of a core and 64 MB, as it should; what is tested here is the store."""
    quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr("relay.admin.users._hasher", quick)


@pytest.fixture
def users(line, clock) -> Users:
    return Users(RedisUserShelf(line), clock, "tester")


@pytest.fixture
def signing_in(line, clock) -> SigningIn:
    shelves = (RedisUserShelf(line), RedisSessionShelf(line), RedisAttempts(line))
    return SigningIn(*shelves, clock)


async def test_a_user_comes_back_as_it_was_and_is_gone_once_removed(line, clock, name):
    shelf, user = RedisUserShelf(line), User(name, "acme", "hash", "mark", clock.now())
    told = [entry(clock.now(), "tester", "x", "acme", f"user {name}") for _ in range(6)]
    assert not await shelf.change(user, told[0])
    assert await shelf.add(user, told[1])
    assert not await shelf.add(replace(user, secret="other"), told[2])
    assert await shelf.get(name) == user
    assert user in await shelf.all()
    assert await shelf.change(replace(user, secret="other"), told[3])
    assert (await shelf.get(name)).secret == "other"
    assert [await shelf.remove(name, each) for each in told[4:]] == [True, False]
    assert await shelf.get(name) is None
    noted = await RedisAuditLog(line).page(AuditWanted(subject=f"user {name}"), 10)
    assert sorted(each.id for each in noted) == sorted(told[n].id for n in (1, 3, 4))


async def test_a_session_ends_with_its_time(line, clock, name):
    shelf, session = RedisSessionShelf(line), Session(name, "mark", "csrf", clock.now())
    await shelf.put(name, session, 0.3)
    assert await shelf.get(name) == session
    await asyncio.sleep(0.5)
    assert await shelf.get(name) is None


async def test_locks_grow_and_attempts_at_what_is_locked_do_not_count(line, name, monkeypatch):
    monkeypatch.setattr(web_users, "FIRST_LOCK_MS", 1000)
    attempts = RedisAttempts(line)
    assert [await attempts.take(name, 2) for _ in range(2)] == [0, 0]
    waits = [await attempts.take(name, 2) for _ in range(3)]
    assert all(0 < wait <= 1 for wait in waits)
    await asyncio.sleep(1.1)
    assert await attempts.take(name, 2) == 0
    assert 1 < await attempts.take(name, 2) <= 2
    await attempts.clear(name)
    assert await attempts.take(name, 2) == 0


async def test_many_attempts_at_once_are_no_way_around_the_lock(line, name):
    attempts = RedisAttempts(line)
    found = await asyncio.gather(*(attempts.take(name, 3) for _ in range(50)))
    assert sorted(found)[:4] == [0, 0, 0, sorted(found)[3]]
    assert found.count(0) == 3


async def test_whoever_signs_in_is_seen_until_they_sign_out(users, signing_in, name):
    await users.add(name, "acme", PASSWORD)
    text = await signing_in.sign_in(name, PASSWORD, "192.0.2.1")
    viewer = await signing_in.viewer(text)
    assert (viewer.name, viewer.tenant, viewer.is_operator) == (name, "acme", False)
    assert await signing_in.sign_in(name, PASSWORD, "192.0.2.1") != text
    await signing_in.sign_out(text)
    assert await signing_in.viewer(text) is None


async def test_another_password_and_a_removal_end_the_sessions(users, signing_in, name):
    await users.add(name, None, PASSWORD)
    text = await signing_in.sign_in(name, PASSWORD, "192.0.2.2")
    assert await users.set_password(name, PASSWORD + "!")
    assert await signing_in.viewer(text) is None
    text = await signing_in.sign_in(name, PASSWORD + "!", "192.0.2.2")
    assert await users.remove(name)
    assert await signing_in.viewer(text) is None


async def test_what_is_done_to_users_is_in_the_audit_log_without_their_passwords(users, line, name):
    await users.add(name, "acme", PASSWORD)
    assert await users.add(name, "acme", PASSWORD) is None
    await users.set_password(name, PASSWORD + "!")
    await users.remove(name)
    noted = await RedisAuditLog(line).page(AuditWanted(subject=f"user {name}"), 10)
    assert {(each.action, each.actor, each.tenant) for each in noted} == {
        (action, "tester", "acme") for action in ("add-user", "set-password", "remove-user")
    }
    assert len(noted) == 3
    assert PASSWORD not in str(noted)
    assert "argon2" not in str(noted)


async def test_a_session_is_over_after_twelve_hours_by_the_relays_clock(
    users, signing_in, name, clock
):
    await users.add(name, None, PASSWORD)
    text = await signing_in.sign_in(name, PASSWORD, "192.0.2.12")
    clock.move(hours=11, minutes=59)
    assert (await signing_in.viewer(text)).name == name
    clock.move(minutes=1)
    assert await signing_in.viewer(text) is None


async def test_a_wrong_password_and_an_unknown_name_are_refused_alike(users, signing_in, name):
    await users.add(name, None, PASSWORD)
    for wrong in ((name, "not the password"), (f"no-{name}", PASSWORD), (name, "x" * 5000)):
        with pytest.raises(NoEntry) as refused:
            await signing_in.sign_in(*wrong, "192.0.2.3")
        assert refused.value.wait_s == 0


async def test_a_locked_account_does_not_take_the_right_password_either(users, signing_in, name):
    await users.add(name, None, PASSWORD)
    for number in range(FREE_PER_USER):
        with pytest.raises(NoEntry):
            await signing_in.sign_in(name, "wrong", f"192.0.2.{number}")
    with pytest.raises(NoEntry) as refused:
        await signing_in.sign_in(name, PASSWORD, "198.51.100.1")
    assert refused.value.wait_s > 0


async def test_what_the_store_holds_opens_nothing(users, signing_in, name, line):
    await users.add(name, None, PASSWORD)
    text = await signing_in.sign_in(name, PASSWORD, "192.0.2.9")
    held = await users.shelf.get(name)
    assert held.secret.startswith("$argon2id$")
    assert PASSWORD not in held.secret
    assert await RedisSessionShelf(line).get(text) is None, "only its hash is there"


@pytest.mark.parametrize(
    ("user", "password"), [("", PASSWORD), ("a b", PASSWORD), ("ok", "short"), ("ü", PASSWORD)]
)
async def test_a_bad_name_or_password_is_refused(users, user, password):
    with pytest.raises(BadUser):
        await users.add(user, None, password)


async def test_what_happened_lately_is_bounded_and_the_newest_comes_first(line, clock):
    recent, route = RedisRecent(line), RouteId(f"r{next(_numbers)}.example", "out")
    made = [Happening(Kind.REPLY, "250", f"n{n}", clock.now(), n) for n in range(MOST_KEPT + 5)]
    opens = clock.now() + timedelta(hours=1)
    made.append(Happening(Kind.DEFERRAL, "domain", "wall", clock.now(), 1, opens))
    await recent.add(route, made[:40])
    await recent.add(route, made[40:])
    assert await recent.of(route) == made[::-1][:MOST_KEPT]


async def test_days_of_several_routes_are_read_at_once(line, valkey, redis_server):
    one, other = (RouteId(f"h{next(_numbers)}.example", "out") for _ in range(2))
    for server in (valkey, redis_server):
        with server.client() as raw:
            raw.hset(keys.days(one), mapping={"100": 5, "102": 7})
    history = RedisHistory(line)
    assert await history.lately([(one, 102), (other, 50)], 4) == [[0, 5, 0, 7], [0, 0, 0, 0]]
    assert await history.days(one) == {100: 5, 102: 7}
    assert await history.days(other) == {}


async def test_who_signs_in_rightly_uses_up_nothing_of_the_address(
    users, signing_in, name, monkeypatch
):
    monkeypatch.setattr("relay.admin.users.FREE_PER_ADDRESS", 2)
    await users.add(name, "acme", PASSWORD)
    for _ in range(5):  # an office has one address
        await signing_in.sign_in(name, PASSWORD, "192.0.2.9")
    for _ in range(2):
        with pytest.raises(NoEntry) as refused:
            await signing_in.sign_in(name, "wrong", "192.0.2.9")
        assert not refused.value.wait_s
    with pytest.raises(NoEntry) as refused:
        await signing_in.sign_in(name, PASSWORD, "192.0.2.9")
    assert refused.value.wait_s
