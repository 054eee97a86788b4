"""`python -m tests.fuzz TARGET --seconds N`: one target, from its corpus on."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from tests.fuzz.engine import fuzz
from tests.fuzz.targets import NAMES, target


def main() -> None:
    """Fuzz, or replay the files that are named."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", choices=NAMES)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--found", type=Path, help="where inputs and crashes are kept")
    parser.add_argument("--replay", type=Path, nargs="+", metavar="FILE", help="run these alone")
    given = parser.parse_args()
    if given.replay:
        for file in given.replay:
            target(given.target).run(file.read_bytes())
        return
    found = given.found or Path(tempfile.mkdtemp(prefix=f"fuzz-{given.target}-"))
    print(f"kept in {found}", flush=True)
    fuzz(given.target, given.seconds, found)


if __name__ == "__main__":
    main()
