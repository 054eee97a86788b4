"""Workers are killed in mid-load: nothing that was accepted is lost, nothing is over the cap."""

from __future__ import annotations

import os
import random
import signal
import ssl
import time
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.conftest import MakeRelay, MakeSink, MakeStore
from tests.harness.certs import Authority
from tests.harness.load import Told, storm
from tests.harness.relay_config import DOMAIN, calendar
from tests.harness.relay_process import RelayProcess
from tests.harness.upstream import SinkProcess
from tests.harness.waiting import until
from tests.harness.wire import Wire, mail
from tests.harness.workers import kill_worker, workers

SENDER = f"news@{DOMAIN}"
CAP = 300
CLIENTS = 16
CRASHES = 3


def crash_while(storming: Future[Told], relay: RelayProcess, sink: SinkProcess) -> list[float]:
    """Kill a worker, three times, while there is quota left; how many were counted by then."""
    counted = []
    for number in range(1, CRASHES + 1):
        until(
            lambda number=number: len(sink.message_ids()) >= number * 60 or storming.done(),
            "load",
            every_s=0.002,
        )
        assert not storming.done()
        time.sleep(random.uniform(0, 0.03))
        kill_worker(relay, f"worker {1 + number % 2}")
        counted.append(relay.metric("relay_messages_total", outcome="forwarded"))
        until(lambda: len(workers(relay)) == 2, "a new worker", detail=relay.log_tail)
    return counted


@pytest.mark.parametrize("where", ["embedded", pytest.param("external", marks=pytest.mark.slow)])
def test_kill_9_of_workers_in_mid_load_never_exceeds_the_cap_and_loses_only_what_was_in_flight(
    make_relay: MakeRelay, make_sink: MakeSink, make_store: MakeStore, where: str
) -> None:
    sink = make_sink("DOT=delay:0.03")
    store = "embedded" if where == "embedded" else make_store().url
    relay = make_relay(
        upstream=sink.url, store=store, policies={"ramp": calendar(CAP)}, more={"workers": 2}
    ).start()

    with ThreadPoolExecutor(1) as pool:
        storming = pool.submit(storm, [relay.port], SENDER, clients=CLIENTS, each=120)
        counted = crash_while(storming, relay, sink)
        told = storming.result(timeout=100)

    ids = sink.message_ids()
    assert told.lost, "no client was cut off: the crash met no load"
    assert told.deferred, "the cap was never reached"
    assert told.taken <= set(ids), "a 250 without a message at the upstream"
    assert CAP - CRASHES * CLIENTS <= len(ids) == len(set(ids)) <= CAP
    status = relay.status()
    assert status["remaining_today"] == 0
    assert status["emails_sent_today"] + status["reserved_now"] == CAP

    forwarded = relay.metric("relay_messages_total", outcome="forwarded")
    assert [*counted, forwarded] == sorted([*counted, forwarded]), "a counter went back"
    # A worker may die between counting a message and answering, or before it counts.
    assert len(told.taken) <= forwarded <= len(ids)
    assert relay.metric("relay_worker_restarts_total") == CRASHES
    assert relay.metric("relay_connections") == 0


@pytest.mark.slow
def test_a_worker_that_hangs_is_replaced_and_the_other_serves_on(make_relay: MakeRelay) -> None:
    relay = make_relay(more={"workers": 2}).start()
    before = workers(relay)
    os.kill(before["worker 1"], signal.SIGSTOP)
    until(lambda: workers(relay) != before, "its end", timeout_s=90, detail=relay.log_tail)
    until(lambda: is_complete(relay), "a new worker", timeout_s=30, detail=relay.log_tail)
    assert workers(relay)["worker 2"] == before["worker 2"]
    for _ in range(12):
        with Wire(relay.port) as wire:
            assert wire.send(SENDER, "reader@example.org", mail(SENDER)).code == 250
    assert "a process hangs and is killed" in relay.log_tail()


def test_a_worker_that_is_started_again_serves_tls_with_the_certificate_of_the_others(
    make_relay: MakeRelay, authority: Authority
) -> None:
    certificate = authority.issue("relay")
    files = {"certificate": str(certificate.certificate), "key": str(certificate.key)}
    relay = make_relay(listeners=[{"tls": "implicit", **files}], more={"workers": 2}).start()
    context = ssl.create_default_context(cafile=str(authority.ca_file))
    before = workers(relay)
    kill_worker(relay, "worker 1")
    until(
        lambda: len(now := workers(relay)) == 2 and now != before and is_complete(relay),
        "a new worker",
        detail=relay.log_tail,
    )
    for _ in range(12):
        with Wire(relay.port, tls=context) as wire:
            assert wire.send(SENDER, "reader@example.org", mail(SENDER)).code == 250
    assert relay.status()["emails_sent_today"] == 12


def is_complete(relay: RelayProcess) -> bool:
    return relay.metric("relay_workers") == 2
