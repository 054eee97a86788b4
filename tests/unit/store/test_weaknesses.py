"""What the INFO of a server tells of what it may forget."""

import pytest

from relay.store.weaknesses import weaknesses_in

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
