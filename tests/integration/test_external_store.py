"""The relay on a Redis or Valkey of the operator's, by changing one line."""

from __future__ import annotations

import time

import pytest

from tests.conftest import MakeRelay, MakeStore
from tests.harness.certs import Authority
from tests.harness.relay_config import DOMAIN, calendar
from tests.harness.relay_process import RelayProcess
from tests.harness.store import StoreServer, valkey_binary
from tests.harness.waiting import until
from tests.harness.wire import Wire, WireReply, mail

SENDER = f"news@{DOMAIN}"
STORE_DEADLINE_S = 2.0


def send(relay: RelayProcess) -> WireReply:
    with Wire(relay.port) as wire:
        return wire.send(SENDER, "reader@example.org", mail(SENDER))


@pytest.fixture(params=["redis with password", "redis with tls", "redis by unix socket", "valkey"])
def store(
    request: pytest.FixtureRequest, make_store: MakeStore, authority: Authority
) -> StoreServer:
    options = {
        "redis with password": {},
        "redis with tls": {"certificate": authority.issue("store"), "authority": authority},
        "redis by unix socket": {"unix": True},
        "valkey": {"binary": valkey_binary()},
    }
    return make_store(**options[request.param])


def test_it_counts_and_enforces_and_status_shows_it(
    make_relay: MakeRelay, store: StoreServer
) -> None:
    relay = make_relay(store=store.url, policies={"ramp": calendar(3)}).start()

    replies = [send(relay) for _ in range(5)]

    assert [reply.code for reply in replies] == [250] * 3 + [451] * 2, replies
    status = relay.status()
    assert (status["emails_sent_today"], status["remaining_today"]) == (3, 0)
    with store.client() as client:
        assert client.dbsize() > 0
        assert all(DOMAIN in key or "{" not in key for key in client.scan_iter(count=1000))


def test_a_killed_store_is_451_4_3_0_within_its_deadline_and_counts_stand_when_it_is_back(
    make_relay: MakeRelay, make_store: MakeStore
) -> None:
    store = make_store()
    relay = make_relay(store=store.url, policies={"ramp": calendar(3)}).start()
    assert send(relay).code == 250

    store.kill()
    begun = time.monotonic()
    reply = send(relay)

    assert time.monotonic() - begun < 2 * STORE_DEADLINE_S + 1
    assert (reply.code, reply.enhanced) == (451, "4.3.0"), reply
    assert "redis" not in reply.text.lower()
    assert relay.http("/readyz").status == 503
    assert relay.http("/healthz").status == 200
    assert relay.metric("relay_store_up") == 0

    store.start()
    until(lambda: relay.http("/readyz").status == 200, "the relay to be ready again")
    until(lambda: send(relay).code == 250, "mail to go through again", detail=relay.log_tail)
    assert relay.metric("relay_store_up") == 1
    # What was not settled when the store was killed is told to it when it is back.
    until(lambda: relay.status()["emails_sent_today"] >= 2, "both to be counted")


def test_a_store_that_hangs_is_451_4_3_0_within_its_deadline(
    make_relay: MakeRelay, make_store: MakeStore
) -> None:
    store = make_store()
    relay = make_relay(store=store.url).start()
    with store.client() as client:
        client.execute_command("CLIENT", "PAUSE", "15000", "ALL")
    begun = time.monotonic()
    reply = send(relay)
    assert (reply.code, reply.enhanced) == (451, "4.3.0"), reply
    assert time.monotonic() - begun < 3 * STORE_DEADLINE_S


@pytest.mark.parametrize("options", [(), ("--workers", "2")], ids=["one process", "workers"])
def test_a_store_that_answers_and_takes_no_writes_is_told_of_everywhere(
    make_relay: MakeRelay, make_store: MakeStore, options: tuple[str, ...]
) -> None:
    store = make_store()
    relay = make_relay(store=store.url)
    relay.options = options
    relay.start()
    assert send(relay).code == 250
    with store.client() as client:
        client.config_set("maxmemory", "1")
        assert send(relay).code == 451
        ready, healthy = relay.http("/readyz"), relay.http("/healthz")
        assert (ready.status, healthy.status) == (503, 200)
        assert "takes no writes" in ready.body
        assert relay.metric("relay_store_up") == 0
        told = relay.cli("check")
        assert told.exit == 1
        assert "PROBLEM store: external: command not allowed" in told.out
        client.config_set("maxmemory", "0")
    until(lambda: relay.http("/readyz").status == 200, "the relay to be ready again")
    assert relay.metric("relay_store_up") == 1
    assert send(relay).code == 250


def test_a_wrong_password_keeps_the_relay_from_sending(
    make_relay: MakeRelay, make_store: MakeStore
) -> None:
    store = make_store()
    relay = make_relay(store=store.url.replace("correct-horse", "wrong-horse"))
    relay.launch()
    until(
        lambda: relay.child.returncode is not None or relay.http("/healthz").status == 200,
        "a verdict",
        timeout_s=20,
        detail=relay.log_tail,
    )
    if relay.child.returncode is None:
        assert relay.http("/readyz").status == 503
        assert send(relay).code == 451
    else:
        assert relay.child.returncode == 1
    assert "wrong-horse" not in relay.log_tail()
