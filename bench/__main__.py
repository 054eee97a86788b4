"""`make bench`: ours and its peers side by side, in interleaved rounds; bounded in time.

`--quick` only compares ours with the floor, `--keep` makes the result the one that is committed.
What a run measures is in `speed.py`; what it writes, in bench/results.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from bench.chart import as_svg
from bench.checks import check
from bench.direct import Direct
from bench.goals import goals_text
from bench.machine import described, rsa_2048_a_s
from bench.peers.every import SYSTEMS, VARIANTS, named
from bench.peers.system import System
from bench.peers.table import versions_of
from bench.quick import quick
from bench.report import as_document, as_text, compared
from bench.speed import SHAPES, SIZES, Bench, latencies, rounds, running

RESULTS = Path(__file__).with_name("results")
KEPT, LAST = "speed", "last"
MEMORY_SHAPE = SHAPES[1]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("--quick", action="store_true", help="a minute: ours against the floor")
    parser.add_argument("--systems", default="", help="comma-separated; all of them by default")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="of one burst, about")
    parser.add_argument(
        "--minutes", type=float, default=25.0, help="no round begins that ends later"
    )
    parser.add_argument("--keep", action="store_true", help="write the committed result")
    return parser.parse_args()


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _measure(kinds: list[type[System]], given: argparse.Namespace) -> list[Bench]:
    until_s = time.monotonic() + given.minutes * 60
    with running([*kinds, Direct]) as benches:
        systems = benches[:-1]
        _tell("latency")
        latencies(benches, given.seconds * 2)
        rounds(
            benches, SHAPES, most=given.rounds, seconds=given.seconds, until_s=until_s, tell=_tell
        )
        rounds(benches, SIZES, most=1, seconds=given.seconds, until_s=until_s, tell=_tell)
        for bench in systems:
            bench.memory(MEMORY_SHAPE, given.seconds)
    return benches


def _run(given: argparse.Namespace) -> dict[str, Any]:
    kinds = named(given.systems, (*SYSTEMS, *VARIANTS))
    checks = {}
    for kind in kinds:
        checks[kind.about.name] = check(kind)
        _tell(f"checked {kind.about.name}: {checks[kind.about.name]}")
    before = rsa_2048_a_s()
    benches = _measure(kinds, given)
    machine = described() | {"rsa_2048_a_s": [round(before), round(rsa_2048_a_s())]}
    versions = {kind.about.name: versions_of(kind.about) for kind in kinds}
    return as_document(benches, checks, versions, machine)


def _previous() -> dict[str, Any] | None:
    for name in (LAST, KEPT):
        path = RESULTS / f"{name}.json"
        if path.exists():
            found: dict[str, Any] = json.loads(path.read_text())
            return found
    return None


def _write(document: dict[str, Any], *, keep: bool) -> None:
    RESULTS.mkdir(exist_ok=True)
    for name in (LAST, KEPT) if keep else (LAST,):
        (RESULTS / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n")
        (RESULTS / f"{name}.svg").write_text(as_svg(document))


def main() -> None:
    given = _arguments()
    if given.quick:
        print(quick())
        return
    before = _previous()
    document = _run(given)
    print(as_text(document))
    print(goals_text(document))
    print(f"RSA-2048 signatures/s before and after: {document['machine']['rsa_2048_a_s']}")
    if before:
        print(f"against the run of {before['date']}, by the calibrations:")
        print("\n".join(compared(document, before)) or "nothing moved by more than 15 %")
    _write(document, keep=given.keep)
    if flawed := [name for name, e in document["systems"].items() if e["checked"] is False]:
        sys.exit(f"failed their checks: {', '.join(flawed)}")


if __name__ == "__main__":
    main()
