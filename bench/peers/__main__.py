"""`python -m bench.peers scenarios`: what a cap lets through, for each system, as a table.

`--systems` names some of them, `--json` says where the result goes, `--docs` writes the table
into docs/peers.md. `python -m bench.peers versions` only says what would be run.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from bench.peers.every import named
from bench.peers.scenarios import run
from bench.peers.system import ROOT
from bench.peers.table import Result, as_document, as_text, into_page, renewed, versions_of

PAGE = ROOT / "docs" / "peers.md"
RESULT = ROOT / "bench" / "results" / "scenarios.json"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.peers")
    parser.add_argument("what", choices=["scenarios", "versions"])
    parser.add_argument("--systems", default="", help="comma-separated; all of them by default")
    parser.add_argument("--json", type=Path, help="where the result is written as JSON")
    parser.add_argument("--docs", action="store_true", help=f"renew them in {PAGE.name}")
    return parser.parse_args()


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    given = _arguments()
    kinds = named(given.systems)
    if given.what == "versions":
        for kind in kinds:
            print(f"{kind.about.title}: {versions_of(kind.about)}")
        return
    results = [Result.of(kind.about, run(kind, _tell)) for kind in kinds]
    print(as_text(results))
    if given.docs and RESULT.exists():
        results = renewed(results, json.loads(RESULT.read_text()))
    document = json.dumps(as_document(results), indent=1)
    for path in [given.json, RESULT if given.docs else None]:
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(document + "\n")
    if given.docs:
        PAGE.write_text(into_page(PAGE.read_text(), results))
    if any(None in result.counts.values() for result in results):
        sys.exit("some scenarios could not be run; see above")


if __name__ == "__main__":
    main()
