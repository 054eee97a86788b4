"""What is said to the server: scripts, and commands with the type of their answer.

A `Command` is plain data: words out, a decoder for what comes back. `connections/line.py` sends it,
`calls.py` makes one per verb. Knows nothing of quota.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from relay.core.values import value

T = TypeVar("T")

Word = str | int

_FOLDER: Final = Path(__file__).parent / "lua"


@dataclass(frozen=True, slots=True)
class Script:
    """One Lua script as the server runs it. `sha` is its SHA-1 in hex, as EVALSHA wants."""

    text: str
    sha: str


@value(frozen=True, slots=True)
class Command(Generic[T]):
    """One command. `verb` names it in the log; `script` is what EVALSHA refers to, if any."""

    verb: str
    words: tuple[Word, ...]
    decode: Callable[[Any], T]
    script: Script | None = None


@cache
def script(*names: str) -> Script:
    """The script made of `lua/<name>.lua` files, one after the other."""
    text = "\n".join((_FOLDER / f"{name}.lua").read_text(encoding="utf-8") for name in names)
    return Script(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


def as_is(answer: Any) -> Any:
    """A decoder: what the server said."""
    return answer


def pairs(answer: Any) -> dict[str, str]:
    """A decoder of a hash, which the server tells as a map or as a flat list."""
    if isinstance(answer, dict):
        return answer
    return dict(zip(answer[::2], answer[1::2], strict=True))


def evalsha(
    verb: str,
    code: Script,
    keys: tuple[str, ...],
    arguments: tuple[Word, ...],
    decode: Callable[[Any], T],
) -> Command[T]:
    """The command that runs `code`."""
    return Command(verb, ("EVALSHA", code.sha, len(keys), *keys, *arguments), decode, code)
