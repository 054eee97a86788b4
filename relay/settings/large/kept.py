"""What was read of pieces of a config, in a file, for who reads the same pieces next.

That is every process of a relay after an edit, and the next start. The file is below `data_dir`,
for the relay's user alone (mode 0600), and never believed: what is not whole, of another user, open
to others or under another mark is as if it were not there. It holds names, and paths of keys; no
secret. Knows nothing of what the pieces say.
"""

from __future__ import annotations

import fcntl
import os
import stat
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import blake2b
from io import BytesIO
from pathlib import Path
from tempfile import mkstemp
from typing import Final

import relay
from relay.settings.apart.frames import read_frame, write_frame

NAME: Final = "config.cache"
LOCK: Final = "config.cache.lock"
MAX_BYTES: Final = 128 * 1024 * 1024
TURN_S: Final = 60.0
"""How long to wait for another reader; after that everybody reads for themselves."""

_POLL_S: Final = 0.02
_MARK_BYTES: Final = 16
_SUM_BYTES: Final = 32


def code_mark() -> bytes:
    """Of the code that reads: another version or file of it may read the same text otherwise."""
    package = Path(relay.__file__).parent
    found = [
        (str(each.relative_to(package)), each.stat().st_size, each.stat().st_mtime_ns)
        for room in ("core", "settings")
        for each in sorted((package / room).rglob("*.py"))
    ]
    told = repr((relay.__version__, sys.version, found)).encode()
    return blake2b(told, digest_size=_SUM_BYTES).digest()


class Kept:
    """The file in `directory`, which has to exist for anything to be kept. Raises nothing."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / NAME
        self._lock = directory / LOCK

    def read(self) -> dict[bytes, bytes]:
        """Each mark and what was read; nothing where there is no file that can be believed."""
        with suppress(OSError, EOFError, ValueError):
            return _entries(self._content())
        return {}

    def write(self, entries: Mapping[bytes, bytes]) -> None:
        """These and no others, from now on."""
        out = BytesIO()
        for mark, told in entries.items():
            write_frame(out, mark + told)
        content = out.getbuffer()
        if len(content) > MAX_BYTES:
            return
        with suppress(OSError):
            self._put(blake2b(content, digest_size=_SUM_BYTES).digest(), content)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """One reader at a time, of all processes; for `TURN_S` at most, then all at once."""
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            descriptor = os.open(self._lock, flags, 0o600)
        except OSError:
            yield
            return
        try:
            _wait_for(descriptor)
            yield
        finally:
            os.close(descriptor)

    def _content(self) -> bytes:
        descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor
            found = os.fstat(descriptor)
            is_ours = found.st_uid == os.geteuid() and not found.st_mode & 0o077
            if not stat.S_ISREG(found.st_mode) or not is_ours or found.st_size > MAX_BYTES:
                raise ValueError
            return file.read(MAX_BYTES)

    def _put(self, checksum: bytes, content: memoryview) -> None:
        """Whole or not at all: under another name first (made with mode 0600)."""
        descriptor, name = mkstemp(prefix=f".{NAME}.", dir=self._path.parent)
        try:
            with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor
                file.write(checksum)
                file.write(content)
            Path(name).replace(self._path)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise


def _entries(content: bytes) -> dict[bytes, bytes]:
    checksum, told = content[:_SUM_BYTES], memoryview(content)[_SUM_BYTES:]
    if blake2b(told, digest_size=_SUM_BYTES).digest() != checksum:
        raise ValueError
    stream, found = BytesIO(told), {}
    while (frame := read_frame(stream)) is not None:
        found[frame[:_MARK_BYTES]] = frame[_MARK_BYTES:]
    return found


def _wait_for(descriptor: int) -> None:
    until = time.monotonic() + TURN_S
    while time.monotonic() < until:
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        time.sleep(_POLL_S)
