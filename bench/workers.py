"""Messages a second through one relay with 1, 2, … workers: how much each core adds.

`python -m bench.workers [most]`. Client and upstream run on the same cores as the relay, and so
does whatever else the machine does: so beside the rate it prints processor time for each 1000
messages, of all processes of the relay and of its busiest one. With C cores to itself the relay
cannot pass C / (CPU of all), nor 1 / (CPU of the busiest). Rounds are interleaved, for the
machine drifts. Bounded: at most three minutes for each number of workers and round.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.alone import CONFIG, POLICY, RELAY, ROOT, SINK, WEB, cpu_s, source
from bench.wire import program

SESSIONS, COUNT, ROUNDS = 60, 3000, 3
READY_S = 60.0


@dataclass(frozen=True, slots=True)
class Run:
    """One relay's: messages a second, and CPU seconds for 1000 messages."""

    rate: float
    cpu_s: float
    busiest_s: float


def family(pid: int) -> list[int]:
    """The relay's processes, its store included."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]


def wait_until_ready() -> None:
    until = time.monotonic() + READY_S
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{WEB}/readyz", timeout=9):
                return
        except OSError:
            time.sleep(0.1)
    sys.exit("the relay did not become ready")


def through(home: Path, workers: int) -> Run:
    """What a relay of its own makes of COUNT messages."""
    relay = subprocess.Popen(
        [sys.executable, "-m", "relay", "serve", "--config", str(home / "relay.yaml"),
         "--workers", str(workers)], cwd=ROOT,
    )  # fmt: skip
    try:
        wait_until_ready()
        source(RELAY, 20, 300)
        before = {pid: cpu_s(pid) for pid in family(relay.pid)}
        rate = source(RELAY, SESSIONS, COUNT)
        spent = [(cpu_s(pid) - began) / COUNT * 1000 for pid, began in before.items()]
    finally:
        relay.terminate()
        relay.wait(timeout=90)
    return Run(rate, sum(spent), max(spent))


def measure(home: Path, most: int) -> dict[int, list[Run]]:
    found: dict[int, list[Run]] = {workers: [] for workers in range(1, most + 1)}
    user = ["-u", "nobody"] if os.getuid() == 0 else []
    sink = subprocess.Popen([program("smtp-sink"), *user, f"127.0.0.1:{SINK}", "1000"])
    try:
        for _ in range(ROUNDS):
            for workers, runs in found.items():
                runs.append(through(home, workers))
    finally:
        sink.terminate()
        sink.wait(timeout=10)
    return found


def show(found: dict[int, list[Run]]) -> None:
    cores = os.cpu_count() or 1
    print(f"{SESSIONS} sessions, {COUNT} messages, median of {ROUNDS}; {cores} cores")
    print(f"{'workers':<9}{'messages/s':>11}{'CPU s/1000':>12}{'busiest':>9}{'at most/s':>11}")
    for workers, runs in found.items():
        rate, cpu, busiest = (
            statistics.median(values) for values in zip(*map(numbers, runs), strict=True)
        )
        most = min(cores / cpu, 1 / busiest) * 1000
        print(f"{workers:<9}{rate:>11.0f}{cpu:>12.2f}{busiest:>9.2f}{most:>11.0f}")
    print(json.dumps({workers: [asdict(run) for run in runs] for workers, runs in found.items()}))


def numbers(run: Run) -> tuple[float, ...]:
    return tuple(asdict(run).values())


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.workers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("most", type=int, nargs="?", default=os.cpu_count() or 1)
    most = parser.parse_args().most
    home = Path(tempfile.mkdtemp(prefix="relay-bench-"))
    (home / "policies").mkdir()
    (home / "policies" / "huge.yaml").write_text(POLICY)
    (home / "relay.yaml").write_text(CONFIG)
    try:
        show(measure(home, most))
    finally:
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
