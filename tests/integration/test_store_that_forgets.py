"""An external store that may forget what was sent: who runs the relay is told."""

from __future__ import annotations

import pytest

from tests.conftest import MakeRelay, MakeStore
from tests.harness.relay_process import RelayProcess
from tests.harness.store import StoreServer
from tests.harness.waiting import until
from tests.integration.test_store_acl import told_rules

DROPS = "maxmemory-policy is volatile-lru: full, it drops counters: set noeviction"
FORGETS = "appendonly is off: a restart may bring old counters back, or none"


def said_of_the_store(relay: RelayProcess) -> dict[str, tuple[bool, str]]:
    """What `check` says of it, by part."""
    rows = relay.cli("check", "--json").json["checks"]
    return {
        row["part"]: (row["ok"], row["says"]) for row in rows if row["part"].startswith("store")
    }


def make_it_forget(store: StoreServer) -> None:
    with store.client() as client:
        client.config_set("maxmemory", "64mb")
        client.config_set("maxmemory-policy", "volatile-lru")
        client.config_set("appendonly", "no")


def test_a_store_that_keeps_what_it_is_given_is_fine(make_relay: MakeRelay, make_store: MakeStore):
    relay = make_relay(more={"store": make_store().url})
    assert said_of_the_store(relay) == {"store": (True, "external: answers")}


def test_one_that_drops_counters_is_a_problem_and_one_that_a_restart_empties_is_told_of(
    make_relay: MakeRelay, make_store: MakeStore
):
    store = make_store()
    make_it_forget(store)
    relay = make_relay(more={"store": store.url})
    assert said_of_the_store(relay) == {
        "store": (True, "external: answers"),
        "store eviction": (False, DROPS),
        "store durability": (True, FORGETS),
    }
    with store.client() as client:
        client.config_set("maxmemory", "0")
    assert "store eviction" not in said_of_the_store(relay), "without a bound nothing is dropped"


@pytest.mark.parametrize("options", [(), ("--workers", "2")], ids=["one process", "workers"])
def test_a_relay_that_begins_warns_once(
    make_relay: MakeRelay, make_store: MakeStore, options: tuple[str, ...]
):
    store = make_store()
    make_it_forget(store)
    relay = make_relay(more={"store": store.url})
    relay.options = options
    relay.start()
    until(lambda: FORGETS in relay.log_tail(), "the warnings", detail=relay.log_tail)
    for says in (DROPS, FORGETS):
        assert relay.log_tail().count(f"the store may forget what was sent: {says}") == 1


def test_a_store_whose_user_may_not_ask_is_no_trouble(make_relay: MakeRelay, make_store: MakeStore):
    """With the user that docs/store.md has, but for that command."""
    store = make_store()
    make_it_forget(store)
    rules = [rule for rule in told_rules() if rule != "+info"]
    with store.client() as client:
        client.execute_command("ACL", "SETUSER", "relay", *rules)
    relay = make_relay(store=store.url.replace("redis://:", "redis://relay:")).start()
    assert relay.status()["state"] == "pending"
    assert said_of_the_store(relay) == {"store": (True, "external: answers")}
    assert "NOPERM" not in relay.log_tail()
