"""Verbs that wait for the store: in order, at once when it is back, and without a storm."""

from __future__ import annotations

import asyncio
import logging

import pytest

from relay.concurrency.background import Background
from relay.core.errors import StoreTrouble
from relay.transaction import insisting
from relay.transaction.insisting import AT_ONCE, Insisting


class Store:
    """Up or away; notes what it was asked, and what got through."""

    def __init__(self):
        self.up = False
        self.asked = []
        self.done = []
        self.at_once = self.most_at_once = 0
        self.bad = set()

    def verb(self, name):
        async def said():
            self.asked.append(name)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            await asyncio.sleep(0.001)
            self.at_once -= 1
            if not self.up or name in self.bad:
                raise StoreTrouble
            self.done.append(name)

        return said


@pytest.fixture
def store():
    return Store()


@pytest.fixture
async def waiting():
    background = Background()
    made = Insisting(background)
    made.background = background
    yield made
    await background.drain(0)


async def all_done(waiting, within_s=3.0, but=0):
    for _ in range(int(within_s / 0.01)):
        if len(waiting) <= but:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{len(waiting)} still wait")


async def test_a_verb_that_gets_through_leaves_nothing_behind(store, waiting):
    store.up = True
    await waiting.insist("a", store.verb("settle"))
    assert store.done == ["settle"]
    assert len(waiting) == len(waiting.background) == 0


async def test_what_waited_long_goes_as_soon_as_the_store_answers(store, waiting, monkeypatch):
    monkeypatch.setattr(insisting, "KNOCK_S", 0.01)
    await waiting.insist("a", store.verb("settle"))
    await asyncio.sleep(0.6)  # sixty knocks: a pause that grew would be long by now
    store.up = True
    await all_done(waiting, within_s=0.5)
    assert store.done == ["settle"]


async def test_the_verbs_of_one_key_keep_their_order(store, waiting):
    for name in ("left", "settle", "heard"):
        await waiting.insist("a", store.verb(name))
    store.up = True
    await all_done(waiting)
    assert store.done == ["left", "settle", "heard"]


async def test_verbs_that_fail_at_the_same_time_are_both_kept(store, waiting):
    await asyncio.gather(*(waiting.insist("a", store.verb(name)) for name in ("left", "settle")))
    store.up = True
    await all_done(waiting)
    assert sorted(store.done) == ["left", "settle"]


async def test_a_store_that_is_away_hears_one_knock_at_a_time_however_many_wait(
    store, waiting, monkeypatch
):
    monkeypatch.setattr(insisting, "KNOCK_S", 0.05)
    await asyncio.gather(*(waiting.insist(f"k{n}", store.verb(n)) for n in range(500)))
    store.asked.clear()
    store.most_at_once = 0
    await asyncio.sleep(0.5)
    assert 1 <= len(store.asked) <= 11
    assert store.most_at_once == 1
    assert len(waiting.background) == 1


async def test_all_that_wait_go_at_once_when_it_is_back_but_few_together(store, waiting):
    await asyncio.gather(*(waiting.insist(f"k{n}", store.verb(n)) for n in range(500)))
    store.up = True
    store.most_at_once = 0
    await all_done(waiting, within_s=5)
    assert sorted(store.done) == list(range(500))
    assert store.most_at_once == AT_ONCE
    await asyncio.sleep(0.05)
    assert len(waiting.background) == 0


async def test_one_that_the_store_never_takes_holds_up_no_other(store, waiting, monkeypatch):
    monkeypatch.setattr(insisting, "KNOCK_S", 0.01)
    store.bad = {"bad 1", "bad 2"}
    for name in ("bad 1", "good 1", "bad 2", "good 2"):
        await waiting.insist(name, store.verb(name))
    store.up = True
    await all_done(waiting, but=2)
    assert sorted(store.done) == ["good 1", "good 2"]
    store.bad = set()
    await all_done(waiting)


async def test_what_waits_for_too_long_is_given_up_and_said(store, waiting, monkeypatch, caplog):
    monkeypatch.setattr(insisting, "KNOCK_S", 0.01)
    monkeypatch.setattr(insisting, "KEEP_S", 0.1)
    await waiting.insist("a", store.verb("settle"))
    await all_done(waiting)
    assert "gave up settling" in caplog.text
    store.up = True
    await waiting.insist("a", store.verb("heard"))
    assert store.done == ["heard"], "the key is free again"


async def test_no_more_wait_than_may(store, waiting, monkeypatch, caplog):
    monkeypatch.setattr(insisting, "MOST_WAITING", 2)
    for key in "abc":
        await waiting.insist(key, store.verb(key))
    assert len(waiting) == 2
    assert "too many settlements" in caplog.text


async def test_a_fault_of_ours_is_logged_and_holds_up_nothing(store, waiting, caplog):
    async def broken():
        if not store.up:
            raise StoreTrouble
        raise ZeroDivisionError

    await waiting.insist("a", broken)
    await waiting.insist("a", store.verb("heard"))
    await waiting.insist("b", store.verb("settle"))
    store.up = True
    await all_done(waiting)
    assert sorted(store.done) == ["heard", "settle"]
    assert "ZeroDivisionError" in caplog.text


async def test_a_stop_says_how_many_were_never_told(store, waiting, caplog):
    caplog.set_level(logging.ERROR)
    await waiting.insist("a", store.verb("settle"))
    await asyncio.sleep(0)
    await waiting.background.drain(0.01)
    assert "before the store was told of 1 sends" in caplog.text


async def test_who_waits_for_what_is_given_up_is_told_so(store, waiting, monkeypatch):
    monkeypatch.setattr(insisting, "KNOCK_S", 0.01)
    monkeypatch.setattr(insisting, "MOST_WAITING", 1)
    told = []

    async def broken():
        if not store.up:
            raise StoreTrouble
        raise ZeroDivisionError

    await waiting.insist("a", broken, lambda: told.append("a fault of ours"))
    await waiting.insist("b", store.verb("b"), lambda: told.append("too many"))
    store.up = True
    await all_done(waiting)
    assert told == ["too many", "a fault of ours"]

    store.up = False
    monkeypatch.setattr(insisting, "KEEP_S", 0.0)
    await waiting.insist("c", store.verb("c"), lambda: told.append("too late"))
    await waiting.insist("c", store.verb("c"), lambda: told.append("and what came behind it"))
    await all_done(waiting)
    assert told[2:] == ["too late", "and what came behind it"]
