"""kill -9 in mid-load: never over the cap, and little quota lost."""

from __future__ import annotations

import random
import time
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.conftest import MakeRelay, MakeSink, MakeStore
from tests.harness.load import Told, storm
from tests.harness.relay_config import DOMAIN, calendar
from tests.harness.relay_process import RelayProcess
from tests.harness.upstream import SinkProcess
from tests.harness.waiting import until

CAP = 300
CLIENTS = 16
CRASHES = 2


def crash_while(storming: Future[Told], relay: RelayProcess, sink: SinkProcess) -> None:
    """Kill and restart the relay while there is still quota left."""
    for number in range(1, CRASHES + 1):
        until(
            lambda number=number: len(sink.message_ids()) >= number * 60 or storming.done(),
            "load",
            every_s=0.002,
        )
        assert not storming.done()
        time.sleep(random.uniform(0, 0.03))
        relay.kill9()
        relay.restart()


@pytest.mark.parametrize("where", ["embedded", "external"])
def test_kill_9_in_mid_load_never_exceeds_the_cap_and_loses_at_most_what_was_in_flight(
    make_relay: MakeRelay, make_sink: MakeSink, make_store: MakeStore, where: str
) -> None:
    sink = make_sink("DOT=delay:0.02")
    store = "embedded" if where == "embedded" else make_store().url
    relay = make_relay(upstream=sink.url, store=store, policies={"ramp": calendar(CAP)}).start()

    with ThreadPoolExecutor(1) as pool:
        storming = pool.submit(storm, [relay.port], f"news@{DOMAIN}", clients=CLIENTS, each=120)
        crash_while(storming, relay, sink)
        told = storming.result(timeout=60)

    ids = sink.message_ids()
    assert told.lost, "no client was cut off: the crash met no load"
    assert told.deferred, "the cap was never reached"
    assert told.taken <= set(ids), "a 250 without a message at the upstream"
    assert len(ids) == len(set(ids)) <= CAP
    assert len(ids) >= CAP - CRASHES * CLIENTS
    status = relay.status()
    assert status["remaining_today"] == 0
    assert status["emails_sent_today"] + status["reserved_now"] == CAP
