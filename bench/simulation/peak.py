"""Some seconds of the peak, message by message: who waits for what, and what a fault does.

Every worker's core and every shard serves one thing after the other. A message is received by a
worker, its charge reserved, it is signed and forwarded, waits for the upstream, is answered, and
settled in the store. HAProxy gives it to the node with the fewest under way, the kernel to any
worker of that. A route is looked at before the body where the worker has not granted it anything
for a quarter of an hour, as `transaction/lately.py` has it; that is counted, but not waited for.
"""

from __future__ import annotations

import heapq
import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from bench.simulation.costs import Costs, Layout, Load
from bench.simulation.placement import Placement
from relay.transaction.lately import LONG_S

RECEIVING, FORWARDING, ANSWERING = 0.40, 0.45, 0.15
"""How a message's time on its worker is divided: before its charge, until its hand-over, after."""


@dataclass(slots=True)
class Station:
    """One core: it serves in turn. `is_up`: False once it is dead, or while it fails over."""

    free_at: float = 0.0
    busy_s: float = 0.0
    is_up: bool = True

    def serve(self, now: float, takes_s: float) -> float:
        """When what comes `now` is done with."""
        self.busy_s += takes_s
        self.free_at = max(now, self.free_at) + takes_s
        return self.free_at


@dataclass(slots=True)
class Node:
    """A relay node: its workers, and how many messages are under way on it."""

    workers: list[Station]
    open: int = 0
    is_up: bool = True


@dataclass(frozen=True, slots=True)
class Fault:
    """From `at_s` on node 0 of the busiest group is dead, or the busiest shard away for `for_s`."""

    at_s: float
    for_s: float = math.inf
    is_shard: bool = False


class Fate(Enum):
    """What became of a message, as its client has it."""

    ACCEPTED = "250"
    DEFERRED = "451: the store is away"
    BROKEN = "connection lost"
    BROKEN_CHARGED = "connection lost, and the send stays charged"


@dataclass(slots=True)
class Message:
    """One under way. `waited_s` is what is not the relay's: the upstream's time."""

    domain: int
    began: float
    node: Node
    worker: Station
    shard: Station
    waited_s: float = 0.0
    is_charged: bool = False
    is_over: bool = False


@dataclass(slots=True)
class Outcome:
    """`times_s`: of those accepted, without the upstream's; the rest by what happened."""

    times_s: list[float] = field(default_factory=list)
    fates: Counter[Fate] = field(default_factory=Counter)
    looks: int = 0
    workers: list[float] = field(default_factory=list)
    shards: list[float] = field(default_factory=list)

    def percentile_ms(self, part: float) -> float:
        """Of `times_s`; NaN where there are none."""
        ordered = sorted(self.times_s)
        return ordered[int(part * (len(ordered) - 1))] * 1000 if ordered else math.nan


Step = Callable[[Message, float], None]


class Peak:
    """`rate_a_s` messages arrive at random for `seconds`; then those under way end."""

    def __init__(
        self,
        placement: Placement,
        load: Load,
        layout: Layout,
        costs: Costs,
        *,
        fault: Fault | None = None,
        seed: int = 1,
    ) -> None:
        self._placement, self._load, self._layout = placement, load, layout
        self._costs, self._fault = costs, fault
        self._random = random.Random(seed)
        self._groups = [
            [Node([Station() for _ in range(layout.cores)]) for _ in range(layout.nodes)]
            for _ in range(layout.groups)
        ]
        self._shards = [Station() for _ in range(layout.shards)]
        self._busiest_group = self._groups[_most(placement.of_groups(layout))]
        self._busiest_shard = self._shards[_most(placement.of_shards(layout))]
        self._events: list[tuple[float, int, Step, Message]] = []
        self._count = 0
        self._outcome = Outcome()

    def run(self, rate_a_s: float, seconds: float) -> Outcome:
        """What becomes of all of them."""
        count = int(rate_a_s * seconds)
        arrivals = sorted(self._random.uniform(0, seconds) for _ in range(count))
        domains = self._random.choices(
            range(len(self._placement.shares)), cum_weights=self._placement.sums, k=count
        )
        for now, domain in zip(arrivals, domains, strict=True):
            self._until(now)
            self._arrive(domain, now, rate_a_s)
        self._until(math.inf)
        nodes = [node for group in self._groups for node in group]
        busy = [sum(core.busy_s for core in node.workers) / len(node.workers) for node in nodes]
        self._outcome.workers = [each / seconds for each in busy]
        self._outcome.shards = [shard.busy_s / seconds for shard in self._shards]
        return self._outcome

    def _until(self, now: float) -> None:
        while self._events and self._events[0][0] <= now:
            at, _, step, message = heapq.heappop(self._events)
            if message.node.is_up:
                step(message, at)
            elif not message.is_over:
                self._end(message, Fate.BROKEN_CHARGED if message.is_charged else Fate.BROKEN)

    def _then(self, at: float, step: Step, message: Message) -> None:
        self._count += 1
        heapq.heappush(self._events, (at, self._count, step, message))

    def _arrive(self, domain: int, now: float, rate_a_s: float) -> None:
        self._fail(now)
        nodes = [node for node in self._groups[self._placement.groups[domain]] if node.is_up]
        node = min(nodes, key=lambda each: each.open)
        node.open += 1
        shard = self._shards[self._placement.shards[domain]]
        message = Message(domain, now, node, self._random.choice(node.workers), shard)
        takes = self._costs.message * RECEIVING
        if self._random.random() * self._load.messages_a_connection < 1:
            takes += self._costs.connection
        if self._is_unknown(domain, rate_a_s):
            self._outcome.looks += 1
            takes += self._costs.look
            shard.serve(now, self._costs.standing / 1e6)
        done = message.worker.serve(now, takes / 1e6)
        self._then(done + self._costs.hop_ms / 1e3, self._reserve, message)

    def _is_unknown(self, domain: int, rate_a_s: float) -> bool:
        """Whether its worker had no mail of `domain` for LONG_S, on an average day."""
        average_a_s = rate_a_s / self._load.peak * self._placement.shares[domain]
        return self._random.random() < math.exp(-average_a_s / self._layout.workers * LONG_S)

    def _reserve(self, message: Message, now: float) -> None:
        if not message.shard.is_up:
            self._end(message, Fate.DEFERRED)
            return
        message.is_charged = True
        done = message.shard.serve(now, self._costs.reserve / 1e6)
        self._then(done + self._costs.hop_ms / 1e3, self._forward, message)

    def _forward(self, message: Message, now: float) -> None:
        done = message.worker.serve(now, self._costs.message * FORWARDING / 1e6)
        message.waited_s = self._random.expovariate(1e3 / self._costs.upstream_ms)
        self._then(done + message.waited_s, self._answer, message)

    def _answer(self, message: Message, now: float) -> None:
        done = message.worker.serve(now, self._costs.message * ANSWERING / 1e6)
        self._outcome.times_s.append(done - message.began - message.waited_s)
        self._end(message, Fate.ACCEPTED)
        self._then(done + self._costs.hop_ms / 1e3, self._settle, message)

    def _settle(self, message: Message, now: float) -> None:
        message.shard.serve(now, (self._costs.settle + self._costs.heard) / 1e6)

    def _end(self, message: Message, fate: Fate) -> None:
        message.is_over = True
        message.node.open -= 1
        self._outcome.fates[fate] += 1

    def _fail(self, now: float) -> None:
        """Begin or end the fault, if it is time."""
        fault = self._fault
        if fault is not None and fault.is_shard:
            self._busiest_shard.is_up = not fault.at_s <= now < fault.at_s + fault.for_s
        elif fault is not None and now >= fault.at_s:
            self._busiest_group[0].is_up = False


def _most(parts: Sequence[float]) -> int:
    return max(range(len(parts)), key=parts.__getitem__)
