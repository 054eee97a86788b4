"""A client that could have heard 250: the store was told of the message, whatever follows."""

from __future__ import annotations

import pytest

from tests.conftest import MakeRelay, MakeStore
from tests.harness.relay_config import DOMAIN, calendar
from tests.harness.upstream import SinkThread
from tests.harness.wire import Wire, mail

SENDER, READER = f"news@{DOMAIN}", "reader@example.org"


@pytest.mark.parametrize("recipients", ["whole", "split"])
def test_a_relay_killed_at_its_answer_takes_no_message_for_a_new_one(
    make_relay: MakeRelay, make_store: MakeStore, sink: SinkThread, recipients: str
) -> None:
    policies = {"ramp": calendar(100, recipients=recipients)}
    relay = make_relay(upstream=sink.url, policies=policies, store=make_store().url).start()
    for number in range(2):
        letter = mail(SENDER, message_id=f"{number}@{DOMAIN}")
        with Wire(relay.port) as wire:
            wire.envelope(SENDER, READER)
            wire.hand_in(letter)
            assert wire.read().code == 250
            relay.kill9()
        relay.restart()
        with Wire(relay.port) as wire:
            again = wire.send(SENDER, READER, letter)
        assert str(again).startswith("250 2.0.0 Ok: taken at an earlier attempt"), again
    assert len(sink.message_ids()) == 2
