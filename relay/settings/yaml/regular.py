"""The regular part of YAML, read by line: what a program writes that lists 100,000 domains.

Block mappings and lists, scalars on one line, `[ ]` and `{ }` that close on their line. It gives
exactly the data that `builder.py` makes of the parser's events, in a sixth of the time, and of
places only those of the root's keys; or None, for all that it does not know and all that is
wrong. Then the parser reads.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from relay.settings.findings import Position
from relay.settings.problems import Wrong
from relay.settings.yaml.brackets import Flow, Irregular
from relay.settings.yaml.builder import MAX_VALUES
from relay.settings.yaml.scalars import resolve, substitute

_MOST_LEVELS: Final = 20
_MOST_FLOWS: Final = 1000
"""Lists and mappings in brackets that are remembered by their text."""

_KEY = r"""[A-Za-z0-9_][A-Za-z0-9_.@-]{0,252}|'[^'\\]{1,253}'|"[^"\\]{1,253}\""""
_LINE = re.compile(rf"( *)(- +)?(?:({_KEY}):(?: +|\Z))?(.*)")
_NOTHING = re.compile(r" *(?:#.*)?\Z")
_BLOCK_SCALAR = re.compile(
    r"(?:([A-Za-z0-9_./~$](?:[^\s:#]|:(?=\S)|(?<=\S)#| +(?=[^\s:#]))*)"
    r"""|'([^']*)'|"([^"\\]*)")(?: +#.*| *)\Z"""
)
_UNKNOWN = re.compile("[^\\S\n ]")  # tabs, and line ends and spaces of other alphabets
_CONTROL = re.compile("[\x00-\x1f\x7f]")
_NONE: Final = object()


@dataclass(slots=True)
class _Level:
    """A list or mapping that may go on; `key` waits for its value."""

    indent: int
    value: Any
    key: str | None = None


def read_regular(
    text: str, env: Mapping[str, str] | None
) -> tuple[dict[str, Any], dict[str, Position]] | None:
    """The mapping that `text` is, and where its keys stand; None where the parser has to read it.

    Its data may share lists and mappings: nobody may change them. Printable text only; with
    `env`, `${NAME}` in scalars is substituted.
    """
    if _UNKNOWN.search(text):
        return None
    try:
        return _Reader(env).read(text)
    except (Irregular, Wrong):
        return None


class _Reader:
    def __init__(self, env: Mapping[str, str] | None) -> None:
        self._env = env
        self._levels = [_Level(0, {})]
        self._flows: dict[str, Any] = {}
        self._values = 0
        self._places: dict[str, Position] = {}

    def read(self, text: str) -> tuple[dict[str, Any], dict[str, Position]]:
        for number, line in enumerate(text.split("\n"), 1):
            found = _LINE.match(line)
            assert found is not None
            indent, dash, key, rest = found.groups()
            if key is None and not dash:
                if not _NOTHING.match(line):
                    raise Irregular
                continue
            column = len(indent)
            if dash:
                self._item(column, rest, is_scalar=key is None)
                column += len(dash)
                if key is not None:
                    self._enter(column, {})
            if key is not None:
                self._entry(column, key, rest, is_first=bool(dash))
                if not column:
                    self._places[key.strip("'\"")] = number, 1
        while len(self._levels) > 1:
            self._leave()
        root = self._levels[0]
        self._give(root, None)
        if not root.value:
            raise Irregular
        return root.value, self._places

    def _item(self, column: int, rest: str, *, is_scalar: bool) -> None:
        """A list item begins at `column`; what it holds is entered next if it is no scalar."""
        levels = self._levels
        while levels[-1].indent > column:
            self._leave()
        top = levels[-1]
        if not isinstance(top.value, list):
            if top.key is None:
                raise Irregular
            self._enter(column, [])
        elif top.indent != column:
            raise Irregular
        if is_scalar:
            value = self._value(rest)
            if value is _NONE:
                raise Irregular
            levels[-1].value.append(value)

    def _entry(self, column: int, key: str, rest: str, *, is_first: bool) -> None:
        levels = self._levels
        top = levels[-1]
        while not is_first and (
            top.indent > column or (top.indent == column and isinstance(top.value, list))
        ):
            self._leave()
            top = levels[-1]
        if top.indent < column:
            if top.key is None:
                raise Irregular
            self._enter(column, {})
            top = levels[-1]
        elif top.key is not None:
            self._give(top, None)
        key = key[1:-1] if key[0] in "'\"" else key
        if "${" in key or key in top.value:
            raise Irregular
        value = self._value(rest)
        if value is _NONE:
            top.key = key
        else:
            top.value[key] = value

    def _enter(self, column: int, value: Any) -> None:
        if len(self._levels) >= _MOST_LEVELS:
            raise Irregular
        self._give(self._levels[-1], value)
        self._levels.append(_Level(column, value))

    def _leave(self) -> None:
        self._give(self._levels.pop(), None)

    @staticmethod
    def _give(level: _Level, value: Any) -> None:
        """`value` is what the key of `level` has waited for, or the next item of a list."""
        if isinstance(level.value, list):
            if value is not None:
                level.value.append(value)
        elif level.key is not None:
            level.value[level.key], level.key = value, None

    def _value(self, rest: str) -> Any:
        """What stands behind a key or a dash; _NONE if it is nothing, or a comment."""
        self._values += 1
        if self._values > MAX_VALUES:
            raise Irregular
        if not rest or rest[0] == "#":
            return _NONE
        if rest[0] in "[{":
            return self._flow(rest)
        found = _BLOCK_SCALAR.match(rest)
        if not found:
            raise Irregular
        plain, single, double = found.groups()
        if plain is not None:
            return self._plain(plain)
        return self._quoted(single if double is None else double)

    def _plain(self, text: str) -> Any:
        return self._quoted(text) if "${" in text and self._env is not None else resolve(text)

    def _quoted(self, text: str) -> str:
        if "${" in text and self._env is not None:
            text = substitute(text, self._env)
            if _CONTROL.search(text):
                raise Irregular
        return text

    def _flow(self, text: str) -> Any:
        known = self._flows.get(text, _NONE)
        if known is not _NONE:
            return known
        value = Flow(text, self._plain, self._quoted).value
        if len(self._flows) < _MOST_FLOWS:
            self._flows[text] = value
        return value
