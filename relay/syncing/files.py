"""The append-only files of the server in one directory: synced, and room for more looked for.

Blocks. Knows nothing of who asked, nor of the server.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Final

SPARE_BYTES: Final = 8 * 1024 * 1024
"""With less room than this nothing is sent: the rest is for what was sent to be settled."""

_SYNC: Final = os.fdatasync if sys.platform == "linux" else os.fsync
_ENDING: Final = ".incr.aof"
"""What is appended to. More than one while the server writes its file anew."""


class Files:
    """Those in `directory`, kept open between syncs."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._open: dict[str, int] = {}
        self._home: tuple[int, int] | None = None

    def sync(self, check: Callable[[], None] | None) -> None:
        """Get what is in the files onto the disk. Raises OSError; it may be there all the same.

        `check` is called when the list of files was read, before they are synced: what was
        written before the list was read is in one of them. No file at all, and a disk without
        SPARE_BYTES of room, are errors too.
        """
        self._look()
        if check:
            check()
        self.flush()

    def lengths(self) -> dict[str, int]:
        """Each file that is there, and how many bytes it has. Raises OSError."""
        self._look()
        return {name: os.fstat(descriptor).st_size for name, descriptor in self._open.items()}

    def flush(self) -> None:
        """Sync the files that were there at the last look, and look at the room. Raises OSError."""
        for descriptor in self._open.values():
            _SYNC(descriptor)
        room = os.statvfs(self._directory)
        if room.f_bavail * room.f_frsize < SPARE_BYTES:
            raise OSError(errno.ENOSPC, "the disk of the store is full")

    def close(self) -> None:
        """Let go of the files."""
        while self._open:
            os.close(self._open.popitem()[1])

    def _look(self) -> None:
        self._check_home()
        names = {name for name in os.listdir(self._directory) if name.endswith(_ENDING)}  # noqa: PTH208 - pathlib takes a MB
        for name in self._open.keys() - names:
            os.close(self._open.pop(name))
        for name in names - self._open.keys():
            with suppress(FileNotFoundError):  # what was in it is in a new file, and on the disk
                path = f"{self._directory}/{name}"
                self._open[name] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        if not self._open:  # the server writes on, to a file that nobody will find again
            raise OSError(errno.ENOENT, "the file of the store is gone")

    def _check_home(self) -> None:
        """Raises OSError unless it is the server's: one that was deleted may be made again."""
        found = os.stat(f"{self._directory}/..")  # noqa: PTH116 - pathlib takes a MB
        self._home = self._home or (found.st_dev, found.st_ino)
        if self._home != (found.st_dev, found.st_ino):
            raise OSError(errno.ESTALE, "the directory of the store is another one")
