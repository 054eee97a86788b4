"""What the INFO of a server tells of what it may forget."""

import logging

import pytest

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
    """A `Topology` of one server, where nobody listens."""

    async def say(self, *_given):
        raise ConnectionError("refused")

    async def holdings(self, _until):
        return (Holding(),)


async def test_a_store_that_is_away_is_not_said_to_work_again(caplog):
    caplog.set_level(logging.INFO, "relay.store")
    line = Line(Away(), 1.0)
    for _ in range(2):
        await warn_of_weaknesses(line)
    [said] = [record.getMessage() for record in caplog.records]
    assert said == "the store fails, mail is deferred: ConnectionError: refused"
