"""The results of the scenarios as text, as JSON and as the table of docs/peers.md."""

from __future__ import annotations

import re
import subprocess
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from bench.peers.scenarios import COLUMNS, RIGHT, Found
from bench.peers.system import About

BEGIN, END = "<!-- scenarios -->", "<!-- end of scenarios -->"
_SHORT = {
    "parallel": "50 clients",
    "restart": "restart",
    "edit": "100 → 150",
    "before_midnight": "23:50",
    "after_midnight": "00:01",
    "next_evening": "23:55",
    "many_recipients": "10 rcpts",
}


@dataclass(frozen=True, slots=True)
class Result:
    """What one system did, with who it was."""

    name: str
    title: str
    versions: str
    mechanism: str
    not_made_for: str
    counts: dict[str, int | None]
    said: str
    notes: list[str]
    date: str

    @staticmethod
    def of(about: About, found: Found) -> Result:
        """Put together what was said and what was seen."""
        return Result(
            about.name, about.title, versions_of(about), about.mechanism, about.not_made_for,
            found.counts, found.said, found.notes, f"{datetime.now(UTC):%Y-%m-%d}",
        )  # fmt: skip


def versions_of(about: About) -> str:
    """What its programs say of themselves."""
    return ", ".join(f"{name} {_version(command)}" for name, command in about.versions.items())


def _version(command: Any) -> str:
    said = subprocess.run(list(command), capture_output=True, text=True, timeout=30, check=False)
    found = re.search(r"\d+\.\d+[\w.~+-]*", said.stdout + said.stderr)
    return found[0] if found else "unknown"


def as_text(results: list[Result]) -> str:
    """For a terminal."""
    width = max(len(result.title) for result in results) + 2
    lines = [" " * width + "".join(f"{short:>11}" for short in _SHORT.values())]
    lines.append(f"{'(right)':<{width}}" + "".join(f"{RIGHT[c]:>11}" for c in COLUMNS))
    for result in results:
        row = "".join(f"{_shown(result.counts[column]):>11}" for column in COLUMNS)
        lines.append(f"{result.title:<{width}}{row}")
    return "\n".join(lines)


def _shown(count: int | None) -> str:
    return "–" if count is None else str(count)


def as_document(results: list[Result]) -> dict[str, Any]:
    """For JSON."""
    return {
        "columns": COLUMNS,
        "right": RIGHT,
        "systems": [asdict(result) for result in results],
    }


def renewed(results: list[Result], before: dict[str, Any]) -> list[Result]:
    """The results of another run, as `as_document` gave them, with these in their place."""
    fresh = {result.name: result for result in results}
    rows = [Result(**row) for row in before["systems"]]
    kept = [fresh.pop(row.name) if row.name in fresh else row for row in rows]
    return [*kept, *fresh.values()]


def into_page(page: str, results: list[Result]) -> str:
    """The page with its table written anew, between its two marks."""
    head, _, rest = page.partition(BEGIN)
    _, found, tail = rest.partition(END)
    if not found:
        raise ValueError(f"the page has no {BEGIN} … {END}")
    return f"{head}{BEGIN}\n{_markdown(results)}\n{END}{tail}"


def _markdown(results: list[Result]) -> str:
    dates = sorted({result.date for result in results})
    lines = [f"Run on {', '.join(dates)}.", ""]
    lines.append("| system | " + " | ".join(_SHORT.values()) + " |")
    lines.append("|---|" + "---:|" * len(_SHORT))
    lines.append("| *right* | " + " | ".join(f"*{RIGHT[column]}*" for column in COLUMNS) + " |")
    for result in results:
        row = " | ".join(_marked(result, column) for column in COLUMNS)
        lines.append(f"| {result.title} | {row} |")
    lines += ["", "| system | versions | how its cap is made | what a refused client hears |"]
    lines.append("|---|---|---|---|")
    lines += [
        f"| {r.title} | {r.versions} | {r.mechanism} | `{_one_line(r.said)}` |" for r in results
    ]
    return "\n".join(lines)


def _marked(result: Result, column: str) -> str:
    count = result.counts[column]
    return _shown(count) if count == RIGHT[column] else f"**{_shown(count)}**"


def _one_line(said: str) -> str:
    return " ".join(said.split()).replace("|", "/")
