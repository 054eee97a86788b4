"""A file of daily volumes for `plan`: a number a line, or a date and a number.

What is wrong with it is told with its line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from relay.cli.sheet import BadSheet, iso_date, rows_of
from relay.core.plan import LATEST_START, MOST_DAYS

_VOLUME = re.compile(r"[0-9]{1,12}\Z", re.ASCII)
_HEADS: Final = {("volume",), ("date", "volume")}


@dataclass(frozen=True, slots=True)
class Volumes:
    """`counts[n]` sends are wanted on the day `start` + n."""

    start: date
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    day: date | None
    count: int


def read_volumes(path: Path, start: date | None, today: date) -> Volumes:
    """The volumes of the file `path`. Raises BadSheet.

    `start` is day 0; without it the first date of the file is, and `today` in a file without
    dates. Days that the file leaves out have no mail. Empty lines, lines that begin with `#`
    and a first line of names are skipped.
    """
    rows = list(_rows(path))
    if not rows:
        raise BadSheet(f"{path}: no volumes in it")
    dated = [row.day for row in rows if row.day]
    first = start or (dated[0] if dated else today)
    counts: list[int] = []
    for row in rows:
        ahead = (row.day - first).days if row.day else len(counts)
        if ahead < len(counts):
            raise BadSheet(f"{path}:{row.line}: {_misplaced(row.day, first, len(counts))}")
        if ahead >= MOST_DAYS:
            raise BadSheet(f"{path}:{row.line}: more than {MOST_DAYS} days after {first}")
        counts += [0] * (ahead - len(counts)) + [row.count]
    return Volumes(first, tuple(counts))


def parse_date(text: str) -> date:
    """The date that a plan may start on, as `2026-03-01`. Raises ValueError, in words."""
    day = iso_date(text)
    if day > LATEST_START:
        raise ValueError(f"{day} is too far away")
    return day


def _misplaced(day: date | None, first: date, count: int) -> str:
    if not count:
        return f"{day} is before the start, {first}"
    return f"{day} does not come after the date above it, {first + timedelta(days=count - 1)}"


def _rows(path: Path) -> Iterator[_Row]:
    width = 0
    for line, row in rows_of(path):
        if not width and tuple(cell.lower() for cell in row) in _HEADS:
            width = len(row)
            continue
        width = width or len(row)
        yield _row(row, width, f"{path}:{line}", line)


def _row(cells: list[str], width: int, where: str, line: int) -> _Row:
    if width > 2 or len(cells) != width:
        told = "volume, or date,volume" if width > 2 else ("volume", "date,volume")[width - 1]
        raise BadSheet(f"{where}: {len(cells)} columns; expected {told}")
    day = _day(cells[0], where) if width == 2 else None
    if not _VOLUME.match(cells[-1]):
        raise BadSheet(f"{where}: {cells[-1]!r} is no volume, such as 2000")
    return _Row(line, day, int(cells[-1]))


def _day(text: str, where: str) -> date:
    try:
        return parse_date(text)
    except ValueError as wrong:
        raise BadSheet(f"{where}: {wrong}") from None
