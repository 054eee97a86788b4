"""What a relay has to tell a store that was away, it tells at once: others ask for it.

The client's next attempt may come to another relay, which knows of the first one only what the
store was told (rule 3).
"""

from __future__ import annotations

import time
from contextlib import ExitStack

from tests.conftest import MakeRelay, MakeStore
from tests.faults.store_troubles import SENDER
from tests.harness.fault_proxy import FaultProxy
from tests.harness.relay_config import DOMAIN
from tests.harness.smtp_script import late
from tests.harness.store import PASSWORD
from tests.harness.upstream import SinkThread
from tests.harness.waiting import until
from tests.harness.wire import Wire, mail

AWAY_S = 9.5
"""Long enough for pauses that double to have become long."""

AT_ONCE_S = 1.5


def test_a_client_that_left_while_the_store_was_away_gets_no_second_copy_from_another_relay(
    make_relay: MakeRelay, make_store: MakeStore, sink: SinkThread, endings: ExitStack
) -> None:
    store = make_store()
    proxy = FaultProxy(store.port)
    endings.callback(proxy.end)
    cut_off = {"url": f"redis://:{PASSWORD}@127.0.0.1:{proxy.port}/0", "timeout": "1s"}
    first = make_relay("first", upstream=sink.url, more={"store": cut_off}).start()
    second = make_relay(
        "second", clock=first.clock, upstream=sink.url, more={"store": {"url": store.url}}
    ).start()
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
