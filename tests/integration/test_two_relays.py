"""Several relays on one store share one cap, exactly."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import MakeRelay, MakeSink, MakeStore
from tests.harness.clock import MovableClock
from tests.harness.load import storm
from tests.harness.relay_config import DOMAIN, calendar

CAP = 1000
ROUNDS = 5


@pytest.mark.slow
def test_64_clients_on_two_relays_get_exactly_1000_through_in_each_of_five_rounds(
    make_relay: MakeRelay, make_sink: MakeSink, make_store: MakeStore, tmp_path: Path
) -> None:
    sink, store = make_sink(), make_store()
    clock = MovableClock(tmp_path / "clock")
    config = {"upstream": sink.url, "store": store.url, "policies": {"ramp": calendar(CAP)}}
    relays = [make_relay(name=name, clock=clock, **config).start() for name in ("one", "two")]
    ports = [relay.port for relay in relays]

    for number in range(1, ROUNDS + 1):
        told = storm(ports, f"news@{DOMAIN}", clients=64, each=20)

        assert told.replies == {"250 2.0.0": CAP, "451 4.7.1": 64 * 20 - CAP}
        ids = sink.message_ids()
        assert (len(ids), len(set(ids))) == (number * CAP, number * CAP)
        assert told.taken <= set(ids)
        for relay in relays:
            status = relay.status()
            assert (status["emails_sent_today"], status["reserved_now"]) == (CAP, 0)
        clock.move(days=1)
    assert relays[0].status()["lifetime_sends"] == ROUNDS * CAP
