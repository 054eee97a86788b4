"""A crowd's messages, whose RSA signatures are made together where the processor can."""

from __future__ import annotations

from pathlib import Path

from relay.signing.multibuffer import open_multibuffer
from tests.conftest import MakeRelay
from tests.harness.clock import MovableClock
from tests.harness.dkim_keys import DkimKeys
from tests.harness.load import storm
from tests.harness.relay_config import DOMAIN, UNLIMITED, calendar
from tests.harness.upstream import SinkThread

CLIENTS, EACH = 40, 5


def test_every_message_of_a_crowd_carries_signatures_that_verify(
    make_relay: MakeRelay, sink: SinkThread, tmp_path: Path
) -> None:
    keys = DkimKeys(tmp_path / "dkim")
    relay = make_relay(
        clock=MovableClock(tmp_path / "clock", real=True),  # dkimpy asks the machine for the time
        upstream=sink.url,
        policies={"ramp": calendar(UNLIMITED)},
        domains={DOMAIN: {"dkim": keys.section}},
    ).start()

    told = storm([relay.port], f"news@{DOMAIN}", clients=CLIENTS, each=EACH)

    assert told.replies == {"250 2.0.0": CLIENTS * EACH}
    assert set(sink.message_ids()) == told.taken
    assert all(all(keys.verified(content)) for content in sink.contents())
    said = [line for line in relay.log_lines() if "made together" in line["event"]]
    assert len(said) == (open_multibuffer() is not None)
