"""`[ ]` and `{ }` of YAML that close on the line on which they begin, of plain and quoted scalars.

A part of `regular.py`: what it does not know is left to the parser.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

_MOST_DEPTH: Final = 10
_TOKEN = re.compile(
    r"""\ *(?:([\[\]{},])|([A-Za-z0-9_][A-Za-z0-9_.@-]{0,252}|"[^"\\$]{1,253}"):\ +"""
    r"""|'([^']*)'|"([^"\\]*)\""""
    r"|([A-Za-z0-9_./~](?:[A-Za-z0-9_./@+=%-]|:(?=[A-Za-z0-9/])|\ (?=[A-Za-z0-9]))*))"
)
_END = re.compile(r"(?: +#.*| *)\Z")


class Irregular(Exception):
    """This is for the parser."""


class Flow:
    """One of them, in `value`. `plain` and `quoted` make values of scalars."""

    def __init__(
        self, text: str, plain: Callable[[str], Any], quoted: Callable[[str], Any]
    ) -> None:
        """Raises Irregular, and what the two raise."""
        self._text = text
        self._at = 0
        self._plain = plain
        self._quoted = quoted
        self._depth = 0
        self.value = self._next(self._token())
        if not _END.match(text, self._at):
            raise Irregular

    def _token(self) -> tuple[str | None, ...]:
        """Of bracket or comma, key, and scalar in single, in double and without quotes: one."""
        found = _TOKEN.match(self._text, self._at)
        if not found:
            raise Irregular
        self._at = found.end()
        return found.groups()

    def _next(self, token: tuple[str | None, ...]) -> Any:
        mark, key, single, double, plain = token
        if plain is not None:
            return self._plain(plain)
        quoted = single if double is None else double
        if quoted is not None:
            return self._quoted(quoted)
        if key is not None or mark not in {"[", "{"} or self._depth >= _MOST_DEPTH:
            raise Irregular
        self._depth += 1
        value = self._list() if mark == "[" else self._mapping()
        self._depth -= 1
        return value

    def _list(self) -> list[Any]:
        found: list[Any] = []
        token = self._token()
        if token[0] == "]":
            return found
        while True:
            found.append(self._next(token))
            if self._ends("]"):
                return found
            token = self._token()

    def _mapping(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        mark, key, *_ = self._token()
        if mark == "}":
            return found
        while True:
            name = key and key.strip('"')
            if not name or name in found:
                raise Irregular
            found[name] = self._next(self._token())
            if self._ends("}"):
                return found
            key = self._token()[1]

    def _ends(self, bracket: str) -> bool:
        mark = self._token()[0]
        if mark not in {bracket, ","}:
            raise Irregular
        return mark == bracket
