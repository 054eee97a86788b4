"""`python -m bench --quick`: ours against the naive floor, in less than a minute.

What is compared is CPU time a message, not wall time: both systems run the same bursts in turn
on the same machine, so that the ratio stays the same on a busy one.
"""

from __future__ import annotations

import statistics
import time

from bench.direct import Direct
from bench.peers.ours import OneWorker
from bench.peers.with_redis import Naive
from bench.speed import Bench, rounds, running
from bench.wire import Shape

SHAPE = Shape("20 reused", 20)
ROUNDS, BURST_S, MOST_S = 5, 2.0, 35.0
BOUND = 0.5


def ratio(ours: Bench, floor: Bench) -> float:
    """Our CPU time a message in that of the floor: the median over the rounds."""
    pairs = zip(ours.measured.bursts[SHAPE.name], floor.measured.bursts[SHAPE.name], strict=True)
    return statistics.median(a.cpu_s_per_1000 / b.cpu_s_per_1000 for a, b in pairs)


def quick() -> str:
    """Run it; the line to print. Raises SystemExit where the ratio is over BOUND."""
    with running([OneWorker, Naive, Direct]) as benches:
        ours, floor, direct = benches
        until_s = time.monotonic() + MOST_S
        made = rounds(
            benches, [SHAPE], most=ROUNDS, seconds=BURST_S, until_s=until_s, tell=lambda _: None
        )
        found = ratio(ours, floor)
    rates = ", ".join(
        f"{bench.system.about.name} {bench.measured.rate(SHAPE.name):.0f}/s"
        for bench in (ours, floor, direct)
    )
    line = (
        f"CPU a message: {found:.2f} of the naive relay's (bound {BOUND}); "
        f"{ours.measured.cpu(SHAPE.name):.2f} s against {floor.measured.cpu(SHAPE.name):.2f} s "
        f"for 1,000; {rates}; {made} rounds"
    )
    if found > BOUND:
        raise SystemExit(f"too slow: {line}")
    return line
