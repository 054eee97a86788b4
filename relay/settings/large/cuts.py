"""The domains of a large relay.yaml, cut out of its text in pieces, before anything is read.

Knows only indentation: where `domains:` of a tenant may begin and end. Whether it did is told by
reading the rest, in which something stands in for each cut (`wholesale.py`). Where a piece ends
depends on the lines there, so an edit changes the piece that it is in and no other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from relay.settings.apart.frames import begins_another

Part = tuple[int, str]
"""The number of a block, and some of the domains in it."""

_KEY: Final = "domains:\n"
_CONTENT = re.compile(r"( *)[^ \n#]")


@dataclass(frozen=True, slots=True)
class Cut:
    """`rest` is the text with `stand_in(n)` for block n, `pieces` what the blocks were, in order.

    `gaps`: a line of `rest`, and how many lines are missing behind it, one for each block.
    """

    rest: str
    pieces: tuple[tuple[Part, ...], ...]
    gaps: tuple[tuple[int, int], ...]

    def line(self, number: int) -> int:
        """Where line `number` of `rest` stood."""
        return number + sum(missing for line, missing in self.gaps if line < number)


def stand_in(block: int) -> str:
    """What stands for a block."""
    return f"cut_{block}_out"


def cut_out(text: str) -> Cut | None:
    """`text` cut, or None where there is nothing that looks like domains."""
    kept: list[str] = []
    entries: list[tuple[int, str, str]] = []
    gaps: list[tuple[int, int]] = []
    done = line = 0
    for block, (begin, end, indent) in enumerate(_blocks(text)):
        head = f"{text[done : begin - 1]} {stand_in(block)}\n"
        line += head.count("\n")
        kept.append(head)
        entries += ((block, *entry) for entry in _entries(text, begin, end, indent))
        gaps.append((line, text.count("\n", begin, end)))
        done = end
    if not gaps:
        return None
    return Cut("".join([*kept, text[done:]]), tuple(_pieces(entries)), tuple(gaps))


def _blocks(text: str) -> Iterator[tuple[int, int, int]]:
    """Where that begins and ends which is deeper than a line `domains:`, and its indentation."""
    at = text.find(_KEY)
    while at >= 0:
        begin = end = at + len(_KEY)
        before = text[text.rfind("\n", 0, at) + 1 : at]
        first = _first(text, begin)
        if first is not None and not before.strip(" ") and len(before) < first:
            shallower = re.compile(rf"\n(?= {{0,{first - 1}}}+[^ \n#])")
            found = shallower.search(text, begin - 1)
            end = found.end() if found else len(text)
            yield begin, end, first
        at = text.find(_KEY, end)


def _first(text: str, begin: int) -> int | None:
    """The indentation of the first line from `begin` on that says something."""
    while begin < len(text):
        found = _CONTENT.match(text, begin)
        if found:
            return len(found[1])
        begin = text.find("\n", begin) + 1 or len(text)
    return None


def _entries(text: str, begin: int, end: int, indent: int) -> Iterator[tuple[str, str]]:
    """The key of each domain, and its text; the first with all that is before it."""
    entry = re.compile(rf"\n {{{indent}}}(?=[^ \n#-])([^\n:]*)")
    done, name = begin, ""
    for found in entry.finditer(text, begin - 1, end):
        if name:
            yield name, text[done : found.start() + 1]
            done = found.start() + 1
        name = found[1]
    yield name, text[done:end]


def _pieces(entries: list[tuple[int, str, str]]) -> Iterator[tuple[Part, ...]]:
    parts: dict[int, list[str]] = {}
    count = 0
    for block, name, text in entries:
        if begins_another(name, count):
            yield _joined(parts)
            parts, count = {}, 0
        parts.setdefault(block, []).append(text)
        count += 1
    yield _joined(parts)


def _joined(parts: dict[int, list[str]]) -> tuple[Part, ...]:
    return tuple((block, "".join(texts)) for block, texts in parts.items())
