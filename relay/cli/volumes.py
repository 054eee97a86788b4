"""A file of daily volumes for `plan`: a number a line, or one for each mailbox provider.

A date may stand before them. What is wrong with it is told with its line.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from relay.cli.sheet import BadSheet, iso_date, rows_of
from relay.core.plan.plan import LATEST_START, MOST_DAYS
from relay.settings.problems import nearest

_VOLUME = re.compile(r"[0-9]{1,12}\Z", re.ASCII)
_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}\Z", re.ASCII)
_DATE: Final = "date"
_VOLUME_HEAD: Final = "volume"

Count = int | Mapping[str, int]
"""Sends of a day; or by provider."""


@dataclass(frozen=True, slots=True)
class Volumes:
    """`counts[n]` sends are wanted on the day `start` + n."""

    start: date
    counts: tuple[Count, ...]


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    day: date | None
    count: Count


@dataclass(frozen=True, slots=True)
class _Columns:
    """What the columns are: a date first or not; a volume, or so many providers."""

    is_dated: bool
    providers: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        return self.is_dated + (len(self.providers) or 1)

    def told(self) -> str:
        return ",".join([_DATE] * self.is_dated + [*(self.providers or (_VOLUME_HEAD,))])


def read_volumes(
    path: Path, start: date | None, today: date, providers: Collection[str] | None = None
) -> Volumes:
    """The volumes of the file `path`. Raises BadSheet.

    `start` is day 0; without it the first date of the file is, and `today` in a file without
    dates. Days that the file leaves out have no mail. Empty lines and lines that begin with
    `#` are skipped. A first line of names says what the columns are: a volume, or one of each
    of the `providers` (None: of any name).
    """
    rows = list(_rows(path, providers))
    if not rows:
        raise BadSheet(f"{path}: no volumes in it")
    dated = [row.day for row in rows if row.day]
    first = start or (dated[0] if dated else today)
    counts: list[Count] = []
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


def _rows(path: Path, providers: Collection[str] | None) -> Iterator[_Row]:
    columns: _Columns | None = None
    for line, row in rows_of(path):
        where = f"{path}:{line}"
        if columns is None and (columns := _named(row, where, providers)):
            continue
        columns = columns or _Columns(is_dated=len(row) > 1)
        yield _row(row, columns, where, line)


def _named(row: list[str], where: str, known: Collection[str] | None) -> _Columns | None:
    """The columns that a first line of names names; None where it is none."""
    names = [cell.lower() for cell in row]
    is_dated = names[0] == _DATE
    names = names[is_dated:]
    if not names or not all(map(_NAME.match, names)):
        return None
    if names == [_VOLUME_HEAD]:
        return _Columns(is_dated)
    for at, name in enumerate(names):
        if known is not None and name not in known:
            hint = f"; {found}" if (found := nearest(name, known)) else ""
            raise BadSheet(f"{where}: {name!r} is neither volume nor a provider{hint}")
        if name in names[:at]:
            raise BadSheet(f"{where}: {name!r} stands twice")
    return _Columns(is_dated, tuple(names))


def _row(cells: list[str], columns: _Columns, where: str, line: int) -> _Row:
    if len(cells) != columns.width:
        is_guessed = not columns.providers and len(cells) > 2
        told = "volume, or date,volume" if is_guessed else columns.told()
        raise BadSheet(f"{where}: {len(cells)} columns; expected {told}")
    day = _day(cells[0], where) if columns.is_dated else None
    counts = [_count(cell, where) for cell in cells[columns.is_dated :]]
    if not columns.providers:
        return _Row(line, day, counts[0])
    return _Row(line, day, dict(zip(columns.providers, counts, strict=True)))


def _count(cell: str, where: str) -> int:
    if not _VOLUME.match(cell):
        raise BadSheet(f"{where}: {cell!r} is no volume, such as 2000")
    return int(cell)


def _day(text: str, where: str) -> date:
    try:
        return parse_date(text)
    except ValueError as wrong:
        raise BadSheet(f"{where}: {wrong}") from None
