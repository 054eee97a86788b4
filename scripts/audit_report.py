"""Reads what pip-audit wrote (one JSON file a lock file in the directory given), and says it.

A package that pip-audit could not look up is counted apart: unknown is not clean.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

CLEAN, VULNERABLE, UNKNOWN = 0, 1, 3


def main(directory: Path, *options: str) -> int:
    """Print the findings; the exit status of `scripts/audit`."""
    found, unknown, known = [], [], 0
    for lock in ("requirements.lock", "requirements-build.lock"):
        report = directory / f"{lock}.json"
        if not report.exists():
            why = (directory / f"{lock}.err").read_text().strip().splitlines()
            unknown.append(f"{lock}: no report: {why[-1] if why else 'pip-audit said nothing'}")
            continue
        for package in json.loads(report.read_text())["dependencies"]:
            name = f"{package['name']} {package.get('version', '')}".strip()
            if "skip_reason" in package:
                unknown.append(f"{lock}: {package['skip_reason']}")
                continue
            known += 1
            found += [f"{lock}: {name}: {each['id']}" for each in package["vulns"]]
    print(*(f"VULNERABLE  {line}" for line in found), sep="\n", end="\n" * bool(found))
    print(f"audit: {known} pins looked up, {len(found)} known vulnerabilities")
    if unknown:
        print(f"audit: {len(unknown)} COULD NOT BE AUDITED; nothing is known of them. The first:")
        print(f"  {unknown[0]}")
    if found:
        return VULNERABLE
    return UNKNOWN if unknown and "--offline-ok" not in options else CLEAN


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
