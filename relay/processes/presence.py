"""A note in the data directory of the relay that serves from it: its pid, ports and clock.

Command-line tools read it, so that they tell the same *now* as the relay beside them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Presence:
    """A serving relay. `clock` is the file of `--clock`, None for the real time."""

    pid: int
    config: str
    listeners: tuple[str, ...]
    web: str | None
    clock: str | None


def _note(data_dir: Path) -> Path:
    return data_dir / "serving.json"


@contextmanager
def announced(data_dir: Path, presence: Presence) -> Iterator[None]:
    """Leave the note while the block runs."""
    note = _note(data_dir)
    draft = note.with_suffix(f".{presence.pid}")
    draft.write_text(json.dumps(asdict(presence)), encoding="utf-8")
    draft.replace(note)
    try:
        yield
    finally:
        with suppress(OSError):
            note.unlink()


def presence_in(data_dir: Path) -> Presence | None:
    """The relay that serves from `data_dir`, or None; a note left by a crash does not count."""
    try:
        told = json.loads(_note(data_dir).read_text(encoding="utf-8"))
        found = Presence(**{**told, "listeners": tuple(told["listeners"])})
        os.kill(found.pid, 0)
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return found
