"""A config as it was read from its files. Knows nothing of how: no YAML, no schema."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from relay.core.config import Config
from relay.settings.findings import Position
from relay.settings.prints import UNKNOWN, Print


@dataclass(frozen=True, slots=True)
class Loaded:
    """A config, where the keys at the root of its file stand, and the files as they were read."""

    config: Config
    places: Mapping[str, Position]
    seen: Print = UNKNOWN


class Reader(Protocol):
    """Reads a config, again and again: here (`apart/here.py`), or apart (`apart/reader.py`)."""

    def read(self, path: Path, env: Mapping[str, str], *, nice: int = 0) -> Loaded:
        """The config in the file `path`, with `${NAME}` from `env`. Raises ConfigProblems.

        Blocks for as long as it takes. `nice`: how far it comes after those that serve.
        """
