"""A bad network between the relay and its upstream: cut, stalled, delayed, corrupted at any byte.

Both ends are counted. A 250 is in the upstream's ledger; what is there is charged; nothing is
there twice, for nobody sends again here; and the cap holds.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from tests.conftest import MakeRelay
from tests.harness.fault_proxy import Deed, Fault, FaultProxy
from tests.harness.relay_config import DOMAIN, calendar
from tests.harness.relay_process import RelayProcess
from tests.harness.upstream import SinkThread
from tests.harness.wire import Wire, mail

SENDER = f"news@{DOMAIN}"
FILLING = b"a line of text\r\n"
TIMEOUTS = dict.fromkeys(("connect", "command", "data", "final"), "1s")
AT_ONCE = 8


def fault_of(number: int, dice: random.Random) -> Fault:
    """One deed after the other; one connection in six is sound, so that something gets through."""
    deed = tuple(Deed)[number % len(Deed)]
    # Content that was changed on the way is not to be told from content that was sent so.
    upwards = deed is not Deed.CORRUPT and dice.random() < 0.5
    ends = [200, 2_000, 200_000] if upwards else [100, 400, 1_000]
    return Fault(deed, dice.randrange(dice.choice(ends)), upwards, dice.random())


def send(relay: RelayProcess, number: int, lines: int) -> tuple[str, str]:
    """The Message-ID, and the reply."""
    name = f"m{number}@{DOMAIN}"
    with Wire(relay.port) as wire:
        reply = wire.envelope(SENDER, f"r{number}@example.org")
        if reply.code == 250:
            wire.hand_in(mail(SENDER, message_id=name) + FILLING * lines)
            reply = wire.read()
    return name, f"{reply.code} {reply.enhanced}"


@pytest.mark.parametrize("messages", [50, pytest.param(1200, marks=pytest.mark.slow)])
def test_both_ends_and_the_quota_agree_over_a_network_that_fails_at_any_byte(
    make_relay: MakeRelay, sink: SinkThread, endings: ExitStack, messages: int
) -> None:
    seed = time.time_ns() % 1_000_000
    dice = random.Random(seed)
    proxy = FaultProxy(sink.port)
    endings.callback(proxy.end)
    cap = messages * 2 // 3
    upstream = {"url": proxy.url, "timeouts": TIMEOUTS, "pool": {"messages_per_connection": 2}}
    relay = make_relay(upstream=upstream, policies={"ramp": calendar(cap)}).start()
    faults: list[Fault] = []

    def plan(number: int) -> Fault:
        faults.append(fault_of(number, dice))
        return faults[-1]

    proxy.plan = plan
    sizes = [dice.choice([0, 1, 100, 12_000]) for _ in range(messages)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        heard = dict(pool.map(lambda n: send(relay, n, sizes[n]), range(messages)))

    proxy.plan = lambda _: Fault()
    proxy.drop()
    status = relay.status()
    counted, arrived = status["emails_sent_today"], Counter(sink.message_ids())
    said = Counter(heard.values())
    facts = f"seed {seed}: {said}, counted {counted}, arrived {arrived.total()}, {status['walls']}"
    print(f"{facts}\n{Counter(fault.deed.value for fault in faults)}")
    taken = {name for name, reply in heard.items() if reply.startswith("250")}
    refunded = {name for name, reply in heard.items() if reply == "451 4.4.1"}
    assert said.keys() <= {"250 2.0.0", "451 4.3.0", "451 4.4.1", "451 4.7.1"}, facts
    assert max(arrived.values(), default=1) == 1, facts
    assert taken <= arrived.keys(), facts
    assert not refunded & arrived.keys(), facts
    assert arrived.total() <= counted <= cap, facts
    assert counted == said["250 2.0.0"] + said["451 4.3.0"], facts
    assert status["reserved_now"] == 0, facts
    assert {fault.deed for fault in faults} == set(Deed), faults
    if counted < cap:
        assert send(relay, messages, 1)[1] == "250 2.0.0", "and the next one goes through"
