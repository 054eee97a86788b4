"""What HTTP keeps in a real store: answers by Idempotency-Key, and rates."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import count

import pytest
import pytest_asyncio

from relay.ports.web import Keeping, KeptAnswer
from relay.store import keys
from relay.store.opening import line_to
from relay.store.shelves.keeping import KEPT_MS, RedisAnswers, metered

ANSWER = KeptAnswer(201, "application/json", b'{"a": "\xc3\xa4"}')
_numbers = count()


@pytest_asyncio.fixture(params=("valkey", "redis_server"))
async def line(request) -> AsyncIterator[object]:
    made = line_to(request.getfixturevalue(request.param).url, 2.0)
    yield made
    await made.close()


@pytest.fixture
def key() -> str:
    return f"key{next(_numbers)}"


async def test_a_key_is_claimed_by_one_of_many(line, key):
    answers = RedisAnswers(line)
    found = await asyncio.gather(*(answers.begin(key, "d") for _ in range(20)))
    assert sorted(found, key=str) == [None, *[Keeping.UNDER_WAY] * 19]


async def test_what_was_answered_is_answered_again_to_the_same_request_only(line, key):
    answers = RedisAnswers(line)
    await answers.begin(key, "d")
    await answers.keep(key, "d", ANSWER)
    assert await answers.begin(key, "d") == ANSWER
    assert await answers.begin(key, "other") is Keeping.OTHER_REQUEST


async def test_a_key_that_was_released_may_be_claimed_anew(line, key):
    answers = RedisAnswers(line)
    await answers.begin(key, "d")
    assert await answers.begin(key, "other") is Keeping.OTHER_REQUEST
    await answers.release(key)
    assert await answers.begin(key, "other") is None


async def test_answers_are_forgotten_after_a_day(valkey, key):
    line = line_to(valkey.url, 2.0)
    answers = RedisAnswers(line)
    await answers.begin(key, "d")
    with valkey.client() as raw:
        assert 0 < raw.pttl(keys.answer(key)) <= KEPT_MS == 86_400_000
        await answers.keep(key, "d", ANSWER)
        assert 0 < raw.pttl(keys.answer(key)) <= KEPT_MS
    await line.close()


async def taken(line, name, per_minute, burst):
    return await line.ask(metered(name, per_minute, burst))


async def test_a_burst_is_let_through_and_then_one_each_interval(line, key, monkeypatch):
    now_us = 10**15
    monkeypatch.setattr("relay.store.shelves.keeping.time.time_ns", lambda: now_us * 1000)
    found = [await taken(line, key, 60, 3) for _ in range(5)]
    assert found == [0, 0, 0, 1.0, 1.0]
    now_us += 999_999
    assert await taken(line, key, 60, 3) == pytest.approx(1e-6)
    now_us += 1
    assert await taken(line, key, 60, 3) == 0
    assert await taken(line, key, 60, 3) == 1.0
    now_us += 10_000_000
    assert [await taken(line, key, 60, 3) for _ in range(4)] == [0, 0, 0, 1.0]


async def test_a_clock_set_back_shuts_nobody_out(line, key, monkeypatch):
    now_us = 10**15
    monkeypatch.setattr("relay.store.shelves.keeping.time.time_ns", lambda: now_us * 1000)
    assert await taken(line, key, 60, 2) == 0
    now_us -= 3_600_000_000
    assert await taken(line, key, 60, 2) <= 1.0


async def test_rates_of_two_are_their_own(line, key):
    assert await taken(line, key, 1, 1) == 0
    assert await taken(line, key, 1, 1) > 0
    assert await taken(line, f"{key}b", 1, 1) == 0
