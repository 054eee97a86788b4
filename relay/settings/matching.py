"""Values by pattern in plain data that may still be wrong anywhere else.

What spans several keys is checked on plain data, not on the schema's models: so one wrong
key never hides another problem.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from relay.settings.findings import Findings
from relay.settings.problems import shown
from relay.settings.yaml.document import Document, Path

EACH: Final = None
"""In a pattern: every entry of a list or mapping."""


def matches(
    data: Any, pattern: tuple[str | None, ...], at: Path = ()
) -> Iterator[tuple[Path, Any]]:
    """Every path (and its value) in `data` that has the form of `pattern`."""
    if not pattern:
        yield at, data
        return
    first, rest = pattern[0], pattern[1:]
    if first is not EACH:
        if isinstance(data, dict) and first in data:
            yield from matches(data[first], rest, (*at, first))
        return
    for step, value in _entries(data):
        if rest:
            yield from matches(value, rest, (*at, step))
        else:
            yield (*at, step), value


def _entries(data: Any) -> Iterator[tuple[str | int, Any]]:
    if isinstance(data, dict):
        yield from data.items()
    elif isinstance(data, list):
        yield from enumerate(data)


class Unique:
    """Finds the second of two things that must differ."""

    def __init__(self, what: str, document: Document, findings: Findings) -> None:
        self._what = what
        self._document = document
        self._findings = findings
        self._first: dict[Any, Path] = {}

    def see(self, thing: Any, path: Path, *, is_key: bool = False) -> None:
        """Complain about `thing` at `path` if it was seen before."""
        first = self._first.setdefault(thing, path)
        if first == path:
            return
        position = self._document.key_at if is_key else self._document.value_at
        line = position(first)[0]
        self._findings.add(
            position(path), f"{self._what} {shown(str(thing))} stands in line {line} already"
        )
