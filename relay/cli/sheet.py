"""A CSV file as rows with their lines: what every file that a command reads has in common.

Owns size, text and separators; what a row means is `volumes.py` and `sends.py`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Final

MOST_BYTES: Final = 1_000_000


class BadSheet(ValueError):
    """The file cannot be used; says the line and why."""


def rows_of(path: Path, separators: str = ",") -> Iterator[tuple[int, list[str]]]:
    """Line and stripped cells of each row. Raises BadSheet.

    Empty lines and lines that begin with `#` are skipped. The separator is the first of
    `separators` that occurs in the first row.
    """
    text = _text(path)
    lines = (line for line in text.splitlines() if line.strip() and line.strip()[0] != "#")
    head = next(lines, "")
    separator = next((each for each in separators if each in head), separators[0])
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        for cells in reader:
            row = [cell.strip() for cell in cells]
            if any(row) and not row[0].startswith("#"):
                yield reader.line_num, row
    except csv.Error as error:
        raise BadSheet(f"{path}:{reader.line_num}: this is no CSV: {error}") from None


def iso_date(text: str) -> date:
    """The date that `text`, such as 2026-03-01, is. Raises ValueError, in words."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no date, such as 2026-03-01") from None


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise BadSheet(f"{path} cannot be read: {error.strerror}") from None
    if len(content) > MOST_BYTES:
        raise BadSheet(f"{path} is larger than {MOST_BYTES} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadSheet(f"{path}:{line}: this is not UTF-8 text") from None
