"""A store in every kind of trouble, under load, through the real relay.

Each time: 451 within the deadline and nothing else, no storm, mail goes again within seconds
without anybody's help, what had been sent meanwhile is told to the store, and the cap holds.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import MakeRelay
from tests.faults.store_troubles import (
    NETWORK_CUT,
    STALLED,
    TROUBLES,
    Crowd,
    LoneCluster,
    Rig,
    Trouble,
)
from tests.harness.fault_proxy import FaultProxy
from tests.harness.relay_config import calendar
from tests.harness.relay_process import RelayProcess
from tests.harness.upstream import SinkThread
from tests.harness.waiting import until
from tests.harness.workers import children, workers

CAP = 250
DEADLINE_S = 1.0
STEPS = 3
"""Verbs of the store that one message may wait for: the look at RCPT, reserve, settle."""

SLACK_S = 2.0
"""For a machine that is busy with other things."""

BACK_S = 3.0
EMBEDDED_STALL_S, EMBEDDED_DEADLINE_S = 10.0, 2.0
"""The deadline is the default of `store.timeout`."""

A_MESSAGE_BYTES, KNOCK_BYTES = 2_000, 300
KNOCKS_A_SECOND = 15
AT_FIRST = 50
"""Connections that were open when the store went away, and are not trusted any more."""


def relay_on(make_relay: MakeRelay, rig: Rig, sink: SinkThread, count: int = 1) -> RelayProcess:
    url = rig.url
    if isinstance(rig.member, LoneCluster):
        url = f"redis+cluster://127.0.0.1:{rig.member.port}"
    store = {"url": url, "timeout": f"{DEADLINE_S:g}s"}
    policies = {"ramp": calendar(CAP)}
    relay = make_relay(upstream=sink.url, policies=policies, more={"store": store})
    relay.options = ("--workers", str(count)) if count > 1 else ()
    return relay.start()


def back_again(crowd: Crowd, since_s: float, relay: RelayProcess) -> float:
    """Seconds until the first message that was handed in from `since_s` on went through."""

    def passed() -> bool:
        return bool(crowd.after(since_s, "250") or crowd.after(since_s, "451 4.7.1"))

    until(passed, "mail to go again", timeout_s=BACK_S + SLACK_S, detail=relay.log_tail)
    return time.monotonic() - since_s


def check_numbers(relay: RelayProcess, crowd: Crowd, sink: SinkThread) -> None:
    """Both ends and the store, when all is quiet and the cap is reached."""
    arrived = sink.message_ids()
    taken = [h for h in crowd.heard if h.reply.startswith("250")]
    until(
        lambda: relay.status()["lifetime_sends"] == len(arrived),
        f"the store to know of {len(arrived)} sends",
        timeout_s=8,
        every_s=0.5,
        detail=relay.log_tail,
    )
    (domain,) = [w for w in relay.status()["walls"] if w["wall"] == "domain"]
    assert len(arrived) == len(set(arrived)) <= CAP == domain["used"]
    assert len(taken) == len(arrived), "what was taken was heard of"


def trouble_for(
    lasts_s: float,
    trouble: Trouble,
    make_relay: MakeRelay,
    sink: SinkThread,
    endings: ExitStack,
    count: int = 1,
) -> None:
    member = trouble.make()
    endings.callback(member.close)
    member.start()
    rig = Rig(member, FaultProxy(member.port))
    endings.callback(rig.proxy.end)
    relay = relay_on(make_relay, rig, sink, count)
    processes = count if count == 1 else count + 1

    with Crowd(relay.port) as crowd:
        until(lambda: len(crowd.after(0, "250")) > 20, "mail to go", detail=relay.log_tail)
        began, connections = time.monotonic(), rig.connections()
        said_bytes = rig.proxy.bytes_up
        with trouble.block(rig, lasts_s):
            if trouble.defers:
                time.sleep(lasts_s)
            made, meant_s = rig.connections() - connections, time.monotonic() - began
            said_bytes = rig.proxy.bytes_up - said_bytes
        over = time.monotonic()
        back_s = back_again(crowd, over, relay)
        until(lambda: crowd.after(over, "451 4.7.1"), "the cap", timeout_s=30)

    replies = {h.reply for h in crowd.heard}
    deferred = [h for h in crowd.after(began, "451 4.3.0") if h.at_s < over]
    late = [h for h in crowd.heard if h.took_s > STEPS * DEADLINE_S + SLACK_S]
    print(f"{trouble}: {meant_s:.1f} s, {len(deferred)} deferred, {made} connections and {said_bytes} bytes to the store,"
          f" back after {back_s:.2f} s, slowest {max(h.took_s for h in crowd.heard):.2f} s")  # fmt: skip
    assert crowd.lost == []
    assert replies <= {"250 2.0.0", "451 4.3.0", "451 4.7.1"}, replies
    assert not late, late
    assert deferred or not trouble.defers
    assert made <= AT_FIRST + KNOCKS_A_SECOND * meant_s * processes, "a storm"
    if trouble.is_away:
        late_s = began + STEPS * DEADLINE_S
        assert not [h for h in crowd.after(late_s, "250") if h.at_s + h.took_s < over]
        knocks = KNOCKS_A_SECOND * meant_s * processes
        assert said_bytes <= A_MESSAGE_BYTES * AT_FIRST + KNOCK_BYTES * knocks
    check_numbers(relay, crowd, sink)


LONGER = {"LOADING", "READONLY", "OOM", "CLUSTERDOWN", "disk full, everysec", "disk full, always"}
"""As deaf as a stalled one, or as short of room as an embedded one: only in the long run."""


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(each, marks=[pytest.mark.slow] if str(each) in LONGER else [], id=str(each))
        for each in TROUBLES
    ],
)
def test_it_defers_holds_the_cap_does_not_storm_and_recovers_by_itself(
    trouble: Trouble, make_relay: MakeRelay, sink: SinkThread, endings: ExitStack
) -> None:
    trouble_for(2.5, trouble, make_relay, sink, endings)


@pytest.mark.slow
def test_a_network_that_is_cut_for_half_a_minute(
    make_relay: MakeRelay, sink: SinkThread, endings: ExitStack
) -> None:
    trouble_for(30.0, NETWORK_CUT, make_relay, sink, endings)


@pytest.mark.slow
def test_a_store_that_stalls_for_longer_than_every_deadline_with_two_workers(
    make_relay: MakeRelay, sink: SinkThread, endings: ExitStack
) -> None:
    trouble_for(10.0, STALLED, make_relay, sink, endings, count=2)


@pytest.mark.slow
def test_an_embedded_store_that_stalls_for_longer_than_every_deadline_with_two_workers(
    make_relay: MakeRelay, sink: SinkThread
) -> None:
    relay = make_relay(upstream=sink.url, policies={"ramp": calendar(CAP)})
    relay.options = ("--workers", "2")
    relay.start()
    [server] = [pid for pid in children(relay.child.pid) if is_store(pid)]
    with Crowd(relay.port) as crowd:
        until(lambda: len(crowd.after(0, "250")) > 20, "mail to go", detail=relay.log_tail)
        began = time.monotonic()
        os.kill(server, signal.SIGSTOP)
        time.sleep(EMBEDDED_STALL_S)
        os.kill(server, signal.SIGCONT)
        over = time.monotonic()
        back_again(crowd, over, relay)
        until(lambda: crowd.after(over, "451 4.7.1"), "the cap", timeout_s=40)
    late = [h for h in crowd.heard if h.took_s > STEPS * EMBEDDED_DEADLINE_S + SLACK_S]
    assert (crowd.lost, late) == ([], [])
    assert {h.reply for h in crowd.heard} <= {"250 2.0.0", "451 4.3.0", "451 4.7.1"}
    assert [h for h in crowd.after(began, "451 4.3.0") if h.at_s < over]
    assert workers(relay).keys() == {"worker 1", "worker 2"}
    check_numbers(relay, crowd, sink)


def is_store(pid: int) -> bool:
    """It names its socket, and not much else, once it runs."""
    return b"server.sock" in Path(f"/proc/{pid}/cmdline").read_bytes()
