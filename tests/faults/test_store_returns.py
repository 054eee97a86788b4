"""What a relay has to tell a store that was away, it tells at once: others ask for it.

The client's next attempt may come to another relay, which knows of the first one only what the
store was told (rule 3). Where that is still to come, it waits a moment for it.
"""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack

import pytest

from tests.conftest import MakeRelay, MakeStore
from tests.faults.store_troubles import SENDER
from tests.harness.fault_proxy import FaultProxy
from tests.harness.relay_config import DOMAIN, calendar
from tests.harness.relay_process import RelayProcess
from tests.harness.smtp_script import late
from tests.harness.store import PASSWORD
from tests.harness.upstream import SinkThread
from tests.harness.waiting import until
from tests.harness.wire import Wire, mail

AWAY_S = 9.5
"""Long enough for pauses that double to have become long."""

AT_ONCE_S = 1.5

LATE_S = 0.15
"""What a relay has to tell comes later than the client does."""


def test_a_client_that_left_while_the_store_was_away_gets_no_second_copy_from_another_relay(
    make_relay: MakeRelay, make_store: MakeStore, sink: SinkThread, endings: ExitStack
) -> None:
    proxy, first, second = _two_relays(make_relay, make_store, sink, endings)
    sink.once("DOT", late(0.5))
    content = mail(SENDER, message_id=f"one@{DOMAIN}")

    with Wire(first.port) as wire:
        assert wire.envelope(SENDER, "reader@example.org").code == 250
        wire.hand_in(content)
        until(sink.message_ids, "the message to be at the upstream")
        proxy.cut_network()
        wire.reset()
    time.sleep(AWAY_S)
    proxy.drop()  # what was on its way is lost
    proxy.heal()
    time.sleep(AT_ONCE_S)

    with Wire(second.port) as wire:
        reply = wire.send(SENDER, "reader@example.org", content)
    assert (reply.code, "not sent again" in reply.text) == (250, True), reply
    assert len(sink.message_ids()) == 1
    assert second.status()["lifetime_sends"] == 1


@pytest.mark.parametrize("recipients", ["whole", "split"])
def test_a_client_that_is_back_at_another_relay_sooner_than_its_loss_is_told_gets_no_second_copy(
    recipients: str,
    make_relay: MakeRelay,
    make_store: MakeStore,
    sink: SinkThread,
    endings: ExitStack,
) -> None:
    proxy, first, second = _two_relays(make_relay, make_store, sink, endings, recipients)
    sink.once("DOT", late(1.0))
    content = mail(SENDER, message_id=f"one@{DOMAIN}")

    with Wire(first.port) as wire, Wire(second.port) as again:
        assert wire.envelope(SENDER, "reader@example.org").code == 250
        assert again.envelope(SENDER, "reader@example.org").code == 250
        wire.hand_in(content)
        until(sink.message_ids, "the message to be at the upstream")
        proxy.cut_network()
        wire.reset()
        threading.Timer(LATE_S, proxy.heal).start()
        again.hand_in(content)
        reply = again.read()
    assert (reply.code, reply.enhanced) == (451, "4.3.0"), reply
    until(lambda: not second.status()["reserved_now"], "the first attempt to be settled")
    with Wire(second.port) as wire:
        reply = wire.send(SENDER, "reader@example.org", content)
    assert (reply.code, "not sent again" in reply.text) == (250, True), reply
    assert len(sink.message_ids()) == 1
    assert second.status()["lifetime_sends"] == 1


def _two_relays(
    make_relay: MakeRelay,
    make_store: MakeStore,
    sink: SinkThread,
    endings: ExitStack,
    recipients: str = "whole",
) -> tuple[FaultProxy, RelayProcess, RelayProcess]:
    """A proxy between the first one and the store; and two relays."""
    store = make_store()
    proxy = FaultProxy(store.port)
    endings.callback(proxy.end)
    cut_off = {"url": f"redis://:{PASSWORD}@127.0.0.1:{proxy.port}/0", "timeout": "1s"}
    ways = {"upstream": sink.url, "policies": {"ramp": calendar(50, recipients=recipients)}}
    first = make_relay("first", more={"store": cut_off}, **ways).start()
    direct = {"store": {"url": store.url}}
    return proxy, first, make_relay("second", clock=first.clock, more=direct, **ways).start()
