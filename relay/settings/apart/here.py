"""A config read in this process where it is small, and by a process of its own where it is large.

For those that have the schema loaded anyway: the web process, and `warmup-relay web`. Relays
read everything apart (`reader.py`), and never load it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from relay.concurrency.beside import short_turns
from relay.settings.apart.reader import ApartReader
from relay.settings.load import load
from relay.settings.loaded import Loaded
from relay.settings.yaml.files import LARGE_BYTES


def is_large(path: Path) -> bool:
    """Whether the file is worth a process."""
    try:
        return path.stat().st_size >= LARGE_BYTES
    except OSError:
        return False


class ReaderHere:
    """Implements `loaded.Reader`."""

    def __init__(self, apart: ApartReader | None = None) -> None:
        self._apart = apart or ApartReader()

    def read(self, path: Path, env: Mapping[str, str], *, nice: int = 0) -> Loaded:
        """See `loaded.Reader`. Raises ReadingFailed too."""
        if is_large(path):
            return self._apart.read(path, env, nice=nice)
        with short_turns():
            return load(path, env)
