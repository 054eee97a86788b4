"""A file system that is full when a test says so: a tmpfs of its own.

Needs root, for mount(2). Whoever has it not uses files that may not grow (`RLIMIT_FSIZE`).
"""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from pathlib import Path

NEEDS = "needs root: it mounts a small file system (tmpfs) to fill it up"


def can_mount() -> bool:
    """Whether this user may."""
    return os.geteuid() == 0


class SmallDisk:
    """A file system of `megabytes` at `path`, which is made."""

    def __init__(self, path: Path, megabytes: int = 64) -> None:
        path.mkdir(parents=True)
        self.path = path
        self._ballast = path / "ballast"
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", path],
            check=True,
            timeout=10,
        )

    def fill(self, leave_bytes: int = 0) -> None:
        """Leave room for so much and no more."""
        disk = os.statvfs(self.path)
        more = disk.f_bavail * disk.f_frsize - leave_bytes
        with self._ballast.open("ab", buffering=0) as file:
            if more > 0:
                with suppress(OSError):  # what else writes may have taken the last of it
                    file.write(bytes(more))
            else:
                file.truncate(max(0, file.tell() + more))

    def empty(self) -> None:
        """There is room again."""
        self._ballast.unlink(missing_ok=True)

    def end(self) -> None:
        """Unmount it, with all that is on it."""
        subprocess.run(["umount", "-l", self.path], check=False, timeout=10)
