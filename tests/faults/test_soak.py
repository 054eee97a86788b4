"""Everything wrong at once, for minutes: what the process holds stays flat, and the ends agree.

The network to the upstream fails at any byte, the store is cut off, killed and stalled, clients
vanish at any step. Memory, descriptors and tasks are looked at when it is quiet, between bouts.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from tests.conftest import MakeRelay
from tests.faults.store_troubles import HOST, Rig
from tests.faults.test_upstream_network import fault_of
from tests.harness.fault_proxy import Fault, FaultProxy
from tests.harness.letters import Book
from tests.harness.members import DURABLE, Member
from tests.harness.relay_config import DOMAIN, UNLIMITED, calendar
from tests.harness.relay_process import RelayProcess
from tests.harness.swarm import Swarm
from tests.harness.upstream import SinkThread
from tests.harness.waiting import until

CLIENTS = 16
TEAR = 0.01
PACE_S = 0.05
TIMEOUTS = dict.fromkeys(("connect", "command", "data", "final"), "1s")
LOOSE_DESCRIPTORS = 12
LOOSE_BYTES_A_MESSAGE = 1_000
LOOSE_BYTES = 15_000_000


@dataclass(frozen=True, slots=True)
class Held:
    """What the relay holds when nothing is under way."""

    rss_bytes: int
    descriptors: int
    tasks: int


def held_by(relay: RelayProcess) -> Held:
    until(
        lambda: relay.metric("relay_connections") == 0, "all sessions to end", timeout_s=20,
        detail=relay.log_tail,
    )  # fmt: skip
    child = relay.child
    return Held(child.rss_bytes(), child.descriptors(), int(relay.metric("relay_tasks")))


async def bout(
    swarm: Swarm, rig: Rig, dice: random.Random, lasts_s: float, plan: Callable[[int], Fault],
    upstream: FaultProxy,
) -> bool:  # fmt: skip
    """Load and faults for so long, then calm; whether all letters found an end."""
    swarm.is_on = swarm.writes_new = True
    swarm.tear = TEAR
    running = asyncio.create_task(swarm.run())
    upstream.plan = plan
    until_s = time.monotonic() + lasts_s
    while time.monotonic() < until_s:
        await asyncio.sleep(dice.uniform(1, 3))
        await asyncio.to_thread(_trouble, rig, dice)
    upstream.plan = lambda _: Fault()
    is_calm = await swarm.calm(60)
    swarm.is_on = False
    await running
    return is_calm


def _trouble(rig: Rig, dice: random.Random) -> None:
    match dice.choice(["cut", "killed", "stalled", "dropped"]):
        case "cut":
            rig.proxy.cut_network()
            time.sleep(dice.uniform(0.1, 1.5))
            rig.proxy.heal()
        case "killed":
            rig.member.kill()
            time.sleep(dice.uniform(0, 0.5))
            rig.member.start()
        case "stalled":
            rig.member.freeze()
            time.sleep(dice.uniform(0.1, 1.5))
            rig.member.thaw()
        case "dropped":
            rig.proxy.drop()


@pytest.mark.parametrize(("bouts", "lasts_s"), [(3, 8), (8, 75)])
@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_a_soak_of_mixed_faults_leaks_nothing_and_loses_nothing(
    make_relay: MakeRelay, sink: SinkThread, endings: ExitStack, bouts: int, lasts_s: float
) -> None:
    seed = time.time_ns() % 1_000_000
    dice = random.Random(seed)
    member = Member(*DURABLE)
    endings.callback(member.close)
    rig = Rig(member.start(), FaultProxy(member.port))
    endings.callback(rig.proxy.end)
    network = FaultProxy(sink.port)
    endings.callback(network.end)
    upstream = {"url": network.url, "timeouts": TIMEOUTS, "pool": {"connections": 10}}
    store = {"url": f"redis://{HOST}:{rig.proxy.port}", "timeout": "1s"}
    policies = {"ramp": calendar(UNLIMITED)}
    relay = make_relay(upstream=upstream, policies=policies, more={"store": store}).start()
    book = Book(DOMAIN, "soak")
    swarm = Swarm([relay.port], book, dice, clients=CLIENTS, pause_s=PACE_S)

    async def all_bouts() -> list[Held]:
        """In one loop: a server that was started in a thread of it dies with the thread."""
        readings = []
        for _ in range(bouts):
            calm = await bout(swarm, rig, dice, lasts_s, lambda n: fault_of(n, dice), network)
            assert calm, f"{seed}: letters without an end: {book.open[:3]}"
            readings.append(await asyncio.to_thread(held_by, relay))
            print(f"{len(book.letters)} letters, {readings[-1]}", flush=True)
        return readings

    readings = asyncio.run(all_bouts())
    arrived = set(sink.message_ids())
    facts = f"seed {seed}: {len(book.letters)} letters, {len(arrived)} there, {book.replies}"
    print(facts)
    assert book.heard == arrived, f"{facts}: {sorted(book.heard ^ arrived)[:5]}"
    first, last = readings[0], readings[-1]
    assert last.tasks <= first.tasks + 3, readings
    assert last.descriptors <= first.descriptors + LOOSE_DESCRIPTORS, readings
    grown = last.rss_bytes - first.rss_bytes
    assert grown <= LOOSE_BYTES + LOOSE_BYTES_A_MESSAGE * len(book.letters) // 10, readings
    assert relay.child.returncode is None
    assert "background work failed" not in relay.child.log.read_text()
