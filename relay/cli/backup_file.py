"""A backup as a file of JSON lines: a head, a record for each key, an end with their count.

Gone through as often as somebody likes, one line in memory at a time: backups of a million
domains are larger than what a relay may take. What a record means is `store/moves.py`.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Any

from relay.store.moves import FORMAT, BadRecord, Record


class BackupFile:
    """Its records, read anew at each iteration: that raises BadRecord, OSError, UnicodeDecodeError.

    `taken_at` is text for people, known once somebody has gone through it.
    """

    def __init__(self, file: Path, content: IO[bytes]) -> None:
        self._file = file
        self._lines = TextIOWrapper(content, encoding="utf-8")
        self.taken_at = "an unknown time"

    def __iter__(self) -> Iterator[Record]:
        self._lines.seek(0)
        told = self._numbered()
        self._begin(*next(told, (1, None)))
        line = 1
        for line, each in told:
            if isinstance(each, dict) and each.keys() == {"end"}:
                self._end(line, each["end"], line - 2, told)
                return
            yield self._record(line, each)
        raise BadRecord(f"{self._file}:{line}: its end is missing: it was cut short")

    def _numbered(self) -> Iterator[tuple[int, Any]]:
        for number, text in enumerate(self._lines, 1):
            try:
                yield number, json.loads(text)
            except (ValueError, RecursionError) as error:
                raise BadRecord(f"{self._file}:{number}: {error}") from error

    def _begin(self, line: int, head: object) -> None:
        held = head.get("format") if isinstance(head, dict) else None
        if not isinstance(head, dict) or held != FORMAT:
            told = f"not a backup of this version: {FORMAT!r}, not {held!r}"
            raise BadRecord(f"{self._file}:{line}: {told}")
        self.taken_at = str(head.get("taken_at", self.taken_at))

    def _end(self, line: int, wanted: object, count: int, rest: Iterator[object]) -> None:
        place = f"{self._file}:{line}"
        if wanted != count:
            raise BadRecord(f"{place}: {count} keys, but there were {wanted}: some are missing")
        if next(rest, None) is not None:
            raise BadRecord(f"{place}: there is more after its end")

    def _record(self, line: int, told: Any) -> Record:
        try:
            return _record(told)
        except (ValueError, TypeError, KeyError) as error:
            raise BadRecord(f"{self._file}:{line}: {error}") from error


def _record(told: dict[str, object]) -> Record:
    value = told["value"]
    if not isinstance(value, dict):
        raise BadRecord("value is no mapping")
    texts = {str(name): str(each) for name, each in value.items()}
    ttl_ms = told["ttl_ms"]
    if type(ttl_ms) is not int:
        raise BadRecord("ttl_ms is no whole number")
    key = str(told["key"])
    "".join((key, *texts, *texts.values())).encode()  # half a character raises, before it is sent
    return Record(key, str(told["kind"]), texts, ttl_ms)


@contextmanager
def opened(file: Path) -> Iterator[BackupFile]:
    """The backup in `file`; of a pipe a copy is made, which has no name. Raises OSError."""
    with file.open("rb") as content:
        if content.seekable():
            yield BackupFile(file, content)
            return
        with tempfile.TemporaryFile() as copy:
            shutil.copyfileobj(content, copy)
            yield BackupFile(file, copy)
