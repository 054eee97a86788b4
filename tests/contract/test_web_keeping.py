"""What HTTP keeps in a real store: answers by Idempotency-Key, and rates."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import count

import pytest
import pytest_asyncio

from relay.core.errors import StoreTrouble
from relay.ports.web import Keeping, KeptAnswer
from relay.store import keys
from relay.store.opening import line_to
from relay.store.shelves import keeping
from relay.store.shelves.keeping import KEPT_MS, RedisAnswers, metered
from tests.harness.waiting import until

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


class LosesReplies:
    """A line over which all goes out and no reply to what is said once comes back."""

    def __init__(self, line) -> None:
        self._line = line

    async def ask(self, command):
        await self._line.ask(command)
        raise StoreTrouble


async def test_a_claim_whose_reply_was_lost_stands_for_a_moment_only(valkey, key, monkeypatch):
    monkeypatch.setattr(keeping, "CLAIMED_MS", 50)
    line = line_to(valkey.url, 2.0)
    with pytest.raises(StoreTrouble):
        await RedisAnswers(LosesReplies(line)).begin(key, "d")
    answers = RedisAnswers(line)
    with valkey.client() as raw:
        assert raw.pttl(keys.answer(key)) <= 50
        until(lambda: not raw.exists(keys.answer(key)), "the claim to lapse")
    assert await answers.begin(key, "d") is None
    assert await answers.begin(key, "d") is Keeping.UNDER_WAY
    await line.close()


class HearsLate:
    """A line on which a claim has lapsed by the time that it is heard of."""

    def __init__(self, line, key) -> None:
        self._line, self._key = line, key
        self.insist = line.insist

    async def ask(self, command):
        found = await self._line.ask(command)
        await RedisAnswers(self._line).release(self._key)
        return found


async def test_a_claim_that_lapsed_before_it_was_heard_of_carries_nothing_out(line, key):
    assert await RedisAnswers(HearsLate(line, key)).begin(key, "d") is Keeping.UNDER_WAY
    assert await RedisAnswers(line).begin(key, "d") is None


class OvertakenBy(HearsLate):
    """On which another request has claimed the key meanwhile."""

    async def ask(self, command):
        found = await super().ask(command)
        assert await RedisAnswers(self._line).begin(self._key, "another") is None
        return found


async def test_the_claim_of_another_that_came_after_a_lapse_is_left_alone(line, key):
    assert await RedisAnswers(OvertakenBy(line, key)).begin(key, "d") is Keeping.UNDER_WAY
    assert await RedisAnswers(line).begin(key, "another") is Keeping.UNDER_WAY
    assert await RedisAnswers(line).begin(key, "d") is Keeping.OTHER_REQUEST


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
