"""What is wrong with a file, where, and what would be right.

Everything in this room that finds fault does it with `Wrong` (about one value, position not
known yet) or adds a `Problem`; nobody else's exception leaves the room.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from relay.settings.prints import UNKNOWN, Print

_MOST_SHOWN = 100
_MOST_CANDIDATES = 1000
_MOST_LISTED = 20
_LONGEST_SHOWN = 60
_MASK = "the text from the environment"
_QUOTED = re.compile(r'"([^"]+)"')


class Substituted(str):
    """Text that came (partly) from the environment: may be a secret, and is never shown."""

    __slots__ = ()


class Wrong(ValueError):
    """What is wrong with one value; `hint` is what to do about it."""

    def __init__(self, text: str, hint: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong at one place. `line` and `column` count from 1, in characters.

    `is_note`: nothing is wrong, but a restart is needed for it.
    """

    file: str
    line: int
    column: int
    text: str
    hint: str = ""
    is_note: bool = False

    def __str__(self) -> str:
        hint = f" ({self.hint})" if self.hint else ""
        return f"{self.file}:{self.line}:{self.column}: {self.text}{hint}"


class ConfigProblems(Exception):
    """Every problem of a config and its policies together.

    `files` are those that were read, or asked for in vain: whoever waits for a better
    version watches them. `seen` is what they were when they were read.
    """

    def __init__(
        self, problems: Sequence[Problem], files: Iterable[Path] = (), seen: Print = UNKNOWN
    ) -> None:
        self.problems = tuple(problems)
        self.files = tuple(files)
        self.seen = seen
        super().__init__(self._told())

    def _told(self) -> str:
        lines = [str(problem) for problem in self.problems[:_MOST_SHOWN]]
        if len(self.problems) > _MOST_SHOWN:
            lines.append(f"… and {len(self.problems) - _MOST_SHOWN} more")
        return "\n".join(lines)


def nearest(word: str, candidates: Iterable[str]) -> str:
    """`did you mean "x"?` for the candidate most like `word`, or "" if none is like it."""
    known = sorted(_tellable(candidates))[:_MOST_CANDIDATES]
    found = get_close_matches(word[:_LONGEST_SHOWN].lower(), known, n=1, cutoff=0.6)
    return f'did you mean "{found[0]}"?' if found else ""


def known(names: Collection[str]) -> str:
    """`known: a, b`: what there is to choose from, and how many more there are."""
    listed = sorted(_tellable(names))[:_MOST_LISTED]
    more = [f"… and {len(names) - len(listed)} more"] if len(names) > len(listed) else []
    return f"known: {', '.join([*listed, *more])}"


def _tellable(names: Iterable[str]) -> Iterator[str]:
    return (name for name in names if not isinstance(name, Substituted))


def masked(wrong: Wrong, value: object) -> Wrong:
    """What is `wrong` with `value`, without the parts that it quotes of it, if they are secret."""
    if not isinstance(value, Substituted):
        return wrong

    def part(quoted: re.Match[str]) -> str:
        return _MASK if quoted[1].removesuffix("…") in value else quoted[0]

    return Wrong(_QUOTED.sub(part, wrong.text), _QUOTED.sub(part, wrong.hint))


def shown(value: object) -> str:
    """`value` as it may stand in a message: quoted, cut, and never from the environment."""
    if isinstance(value, Substituted):
        return _MASK
    if isinstance(value, str):
        return f'"{_cut(value)}"'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    return "nothing" if value is None else str(value)


def _cut(text: str) -> str:
    cut = text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…"
    return cut if cut.isprintable() else cut.encode("unicode_escape").decode()
