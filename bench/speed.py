"""Measures: bursts of mail through each system in turn, round after round.

The rounds are interleaved (A B C A B C), for the machine drifts; a figure is the median over
the rounds. All systems are up the whole time, and idle but one.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from bench.latency import Latency, measure
from bench.peers.proc import cpu_s, pss_mb
from bench.peers.system import System, Wanted
from bench.wire import CountingSink, Shape, send_through

SHAPES = (
    Shape("20 reused", 20),
    Shape("100 reused", 100),
    Shape("20 new", 20, reuse=False),
    Shape("1 session", 1),
)
SIZES = (
    Shape("1 kB", 20, size_bytes=1_024),
    Shape("100 kB", 20, size_bytes=102_400),
    Shape("1 MB", 20, size_bytes=1_048_576),
)
PILOT = 40
MOST = 4_000


@dataclass(frozen=True, slots=True)
class Burst:
    """One burst: messages a second at the sink, and CPU seconds of the system for 1,000."""

    messages_s: float
    cpu_s_per_1000: float


@dataclass(slots=True)
class Measured:
    """What is known of one system."""

    bursts: dict[str, list[Burst]] = field(default_factory=dict)
    latency: Latency | None = None
    idle_mb: float = 0.0
    load_mb: float = 0.0

    def rate(self, shape: str) -> float:
        """Messages a second, the median over the rounds."""
        return statistics.median(burst.messages_s for burst in self.bursts[shape])

    def cpu(self, shape: str) -> float:
        """CPU seconds for 1,000 messages, the median over the rounds."""
        return statistics.median(burst.cpu_s_per_1000 for burst in self.bursts[shape])


class Bench:
    """A system that runs, with a sink of its own, and what was measured so far."""

    def __init__(self, system: System, sink: CountingSink) -> None:
        self.system = system
        self.measured = Measured()
        self._sink = sink
        self._rates: dict[str, float] = {}

    def burst(self, shape: Shape, seconds: float) -> Burst:
        """One burst of about so many seconds."""
        if shape.name not in self._rates:
            pilot = _fewest(shape)
            self._rates[shape.name] = pilot / self._seconds(shape, pilot)
        count = self._count(shape, seconds)
        before = cpu_s(self.system.roots())
        took_s = self._seconds(shape, count)
        cpu = cpu_s(self.system.roots()) - before
        made = Burst(count / took_s, cpu / count * 1000)
        self._rates[shape.name] = made.messages_s
        self.measured.bursts.setdefault(shape.name, []).append(made)
        return made

    def _count(self, shape: Shape, seconds: float) -> int:
        return int(min(MOST, max(_fewest(shape), self._rates.get(shape.name, 0.0) * seconds)))

    def _seconds(self, shape: Shape, count: int) -> float:
        return send_through(self.system.port, self._sink, shape, count)

    def memory(self, shape: Shape, seconds: float) -> None:
        """The memory in the middle of a burst that is not measured otherwise."""
        samples: list[float] = []
        ended = threading.Event()

        def sample() -> None:
            while not ended.wait(0.5):
                samples.append(pss_mb(self.system.roots()))

        sampler = threading.Thread(target=sample)
        sampler.start()
        try:
            self._seconds(shape, self._count(shape, seconds))
        finally:
            ended.set()
            sampler.join(10)
        self.measured.load_mb = max(samples, default=pss_mb(self.system.roots()))


def _fewest(shape: Shape) -> int:
    """With one message a session, connecting would be most of what is measured."""
    return max(PILOT, 2 * shape.sessions)


@contextmanager
def running(kinds: Sequence[type[System]]) -> Iterator[list[Bench]]:
    """All of them, up and idle, with caps that are never reached; their ends."""
    home = Path(tempfile.mkdtemp(prefix="wr-bench-sinks-"))
    ends: list[Callable[[], None]] = []
    try:
        benches = []
        for kind in kinds:
            sink = CountingSink(home)
            ends.append(sink.end)
            system = kind(Wanted(sink.port))
            ends.append(system.end)
            system.start()
            benches.append(Bench(system, sink))
        time.sleep(3)
        for bench in benches:
            bench.measured.idle_mb = pss_mb(bench.system.roots())
        yield benches
    finally:
        for end in reversed(ends):
            with suppress(AssertionError):
                end()
        shutil.rmtree(home, ignore_errors=True)


def rounds(
    benches: Sequence[Bench],
    shapes: Sequence[Shape],
    *,
    most: int,
    seconds: float,
    until_s: float,
    tell: Callable[[str], None],
) -> int:
    """Interleaved rounds, at most so many, and none but the first where time is short.

    `until_s` is of time.monotonic(); no shape begins behind it. Gives the rounds begun.
    """
    took_s = 0.0
    for number in range(most):
        began = time.monotonic()
        if number and began + took_s > until_s:
            return number
        for shape in shapes:
            if time.monotonic() > until_s:
                return number + 1
            for bench in benches:
                tell(f"round {number + 1}, {_burst_of(bench, shape, seconds)}")
        took_s = time.monotonic() - began
    return most


def _burst_of(bench: Bench, shape: Shape, seconds: float) -> str:
    made = bench.burst(shape, seconds)
    rate, cpu = f"{made.messages_s:.0f}/s", f"{made.cpu_s_per_1000:.2f} CPU s/1000"
    return f"{shape.name}, {bench.system.about.name}: {rate}, {cpu}"


def latencies(benches: Sequence[Bench], seconds: float) -> None:
    """The latency of each at low load, one after the other."""
    for bench in benches:
        login = bench.system.login()
        bench.measured.latency = measure(bench.system.port, seconds, login)
