"""What the INFO of a server tells of what it may forget."""

import asyncio
import logging
import math

import pytest

from relay.store import weaknesses
from relay.store.connections.line import Line
from relay.store.connections.topology import Holding
from relay.store.weaknesses import warn_of_weaknesses, weaknesses_in

KEEPS = {"maxmemory": "0", "maxmemory_policy": "noeviction", "aof_enabled": "1"}


@pytest.mark.parametrize(
    "info",
    [{}, KEEPS, KEEPS | {"maxmemory": "1000"}, KEEPS | {"maxmemory_policy": "allkeys-lru"}],
    ids=["tells nothing", "keeps all", "a bound alone", "a policy without a bound"],
)
def test_a_server_that_keeps_what_it_is_given_has_none(info):
    assert [*weaknesses_in(info)] == []


def test_eviction_is_grave_and_a_restart_that_forgets_is_not():
    info = {"maxmemory": "1000", "maxmemory_policy": "allkeys-lru", "aof_enabled": "0"}
    told = {each.what: each.is_grave for each in weaknesses_in(info)}
    assert told == {"eviction": True, "durability": False}


class Away:
    """A `Topology` of one server, where nobody listens `until` it is asked so often."""

    def __init__(self, until=math.inf, info=""):
        self.asked, self.until, self.info = 0, until, info
        self.thrice = asyncio.Event()

    async def say(self, *_given):
        self.asked += 1
        if self.asked == 3:
            self.thrice.set()
        if self.asked < self.until:
            raise ConnectionError("refused")
        return (self.info,)

    async def holdings(self, _until):
        return (Holding(),)


@pytest.fixture
def said(caplog, monkeypatch):
    """What the log says, of a store that is asked again at once."""
    monkeypatch.setattr(weaknesses, "ASK_AGAIN_S", 0.0)
    caplog.set_level(logging.INFO, "relay.store")
    return lambda: [record.getMessage() for record in caplog.records]


FAILS = "the store fails, mail is deferred: ConnectionError: refused"


async def test_a_store_that_is_away_is_not_said_to_work_again(said):
    server, stop = Away(), asyncio.Event()
    looking = asyncio.create_task(warn_of_weaknesses(Line(server, 1.0), stop))
    await server.thrice.wait()
    stop.set()
    await looking
    assert said() == [FAILS]


async def test_a_store_that_is_away_at_a_start_is_looked_at_when_it_is_there(said):
    server = Away(until=3, info="# Persistence\r\naof_enabled:0\r\n")
    await warn_of_weaknesses(Line(server, 1.0), asyncio.Event())
    [first, last] = said()
    assert (first, server.asked) == (FAILS, 3)
    assert last.startswith("the store may forget what was sent: appendonly is off")
