"""JSON, which is YAML too, written anew as what `regular.py` reads by line.

A program that lists 100,000 domains may write them with its JSON library: all on one line, or in
brackets over a million. Here mappings become blocks down to `domains`, what is below stands on one
line, and nothing is decided: what the text means, `regular.py` says. What JSON does not allow or
YAML might read otherwise (escapes, tabs) is left to the parser.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from json.decoder import JSONDecoder
from typing import Any, Final, NoReturn

from relay.settings.findings import Position
from relay.settings.yaml.brackets import Irregular
from relay.settings.yaml.builder import may_be_too_much
from relay.settings.yaml.regular import read_regular

_LEVELS: Final = 4
"""Mappings that become blocks: the root, `tenants`, a tenant and its `domains`."""

_UNLIKE: Final = re.compile(r"[\t\r\\]|\n *:")
_PLAIN: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]*")
_BEGIN: Final = re.compile(r"[ \n]*\{[ \n]*(?=\")")
_KEY: Final = re.compile(r'"([^"\n]{1,253})" *:[ \n]*')
_NEXT: Final = re.compile(r"[ \n]*(?:(,)[ \n]*|\})")
_END: Final = re.compile(r"[ \n]*\Z")


def read_json(
    text: str, env: Mapping[str, str] | None
) -> tuple[dict[str, Any], dict[str, Position]] | None:
    """As `read_regular`, of JSON; None also where `text` is none."""
    written = in_lines(text)
    read = written and read_regular(written[0], env)
    return (read[0], written[1]) if written and read else None


def in_lines(text: str) -> tuple[str, dict[str, Position]] | None:
    """The same mapping in other words, and where the keys of its root stand; None: no such JSON."""
    if not _BEGIN.match(text) or _UNLIKE.search(text) or may_be_too_much(text, ",:[{"):
        return None
    writer = _Writer(text)
    try:
        end = writer.mapping(0, 0)
    except (Irregular, ValueError, RecursionError):
        return None
    return ("".join(writer.lines), writer.places) if _END.match(text, end) else None


class _Writer:
    def __init__(self, text: str) -> None:
        self._text = text
        self.lines: list[str] = []
        self.places: dict[str, Position] = {}

    def mapping(self, at: int, level: int) -> int:
        """Write the one that begins at `at`, and is not empty; where it ends. Raises Irregular."""
        begin = _BEGIN.match(self._text, at)
        assert begin is not None
        at, goes_on = begin.end(), True
        while goes_on:
            found = _KEY.match(self._text, at)
            if not found:
                raise Irregular
            if not level:
                self._place(found[1], at)
            at = self._entry(found[1], found.end(), level)
            after = _NEXT.match(self._text, at)
            if not after:
                raise Irregular
            at, goes_on = after.end(), after[1] is not None
        return at

    def _entry(self, key: str, at: int, level: int) -> int:
        name = key if _PLAIN.fullmatch(key) else f'"{key}"'
        if level + 1 < _LEVELS and _BEGIN.match(self._text, at):
            self.lines.append(f"{' ' * level}{name}:\n")
            return self.mapping(at, level + 1)
        value, end = _DECODER.raw_decode(self._text, at)
        self.lines.append(f"{' ' * level}{name}: {json.dumps(value, ensure_ascii=False)}\n")
        return end

    def _place(self, key: str, at: int) -> None:
        before = self._text.rfind("\n", 0, at)
        self.places[key] = self._text.count("\n", 0, at) + 1, at - before


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A mapping in which no key stands twice."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Irregular
    return found


def _refuse(_text: str) -> NoReturn:
    """Of a number: its text might be written in another way."""
    raise Irregular


_DECODER: Final = JSONDecoder(object_pairs_hook=_once, parse_float=_refuse, parse_constant=_refuse)
