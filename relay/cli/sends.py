"""A file of past sends for `import-history`: `date,sends`, a day a line, in any order.

What is wrong with it is told with its line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from relay.cli.sheet import BadSheet, iso_date, rows_of

MOST_DAYS: Final = 3660
EARLIEST: Final = date(2000, 1, 1)
_SENDS = re.compile(r"[0-9]{1,12}\Z", re.ASCII)
_HEAD: Final = ["date", "sends"]


@dataclass(frozen=True, slots=True)
class Row:
    """A day and its sends, and the line that says so."""

    line: int
    day: date
    sends: int


def read_sends(path: Path) -> tuple[Row, ...]:
    """The rows of the file `path`, of which at least one has sends. Raises BadSheet.

    The separator is a comma, semicolon or tab. A first line `date,sends` is skipped. No date
    may be there twice.
    """
    found: dict[date, Row] = {}
    for number, (line, cells) in enumerate(rows_of(path, ",;\t")):
        if number == 0 and [cell.lower() for cell in cells] == _HEAD:
            continue
        try:
            row = _row(line, cells)
        except ValueError as wrong:
            raise BadSheet(f"{path}:{line}: {wrong}") from None
        if row.day in found:
            raise BadSheet(f"{path}:{line}: {row.day} is on line {found[row.day].line} already")
        found[row.day] = row
    if len(found) > MOST_DAYS:
        raise BadSheet(f"{path}: more than {MOST_DAYS} days")
    if not any(row.sends for row in found.values()):
        raise BadSheet(f"{path}: no sends in it")
    return tuple(found.values())


def check_dates(path: Path, rows: tuple[Row, ...], today: date, zone: str) -> None:
    """Raises BadSheet where a row is after `today`, the date in the zone of the policy."""
    for row in rows:
        if row.day > today:
            raise BadSheet(f"{path}:{row.line}: {row.day} is in the future: it is {today} ({zone})")


def _row(line: int, cells: list[str]) -> Row:
    if len(cells) != len(_HEAD):
        raise ValueError(f"{len(cells)} columns; expected date,sends")
    day = iso_date(cells[0])
    if day < EARLIEST:
        raise ValueError(f"{day} is before {EARLIEST}")
    if not _SENDS.match(cells[1]):
        raise ValueError(f"{cells[1]!r} is no number of sends, such as 2000")
    return Row(line, day, int(cells[1]))
