"""The embedded server's files before it reads them: what a crash may leave, and what it may not.

Everything up to the last sync is on the disk (`disk.py`), and nothing was sent on the strength
of what came later. So an end that was cut short (the server drops it) or is all zeros (a file
that had grown when the power went, but not its content) may go. Anything else is damage:
starting all the same would forget what was sent. Call it while no server runs.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Final

from relay.store.troubles import StoreUnusable

log = logging.getLogger(__name__)

READ_DOCS: Final = (
    'what to do is under "The store\'s file is damaged" in docs/operations.md;'
    " to start without it would forget what was sent"
)

NOTHING_BYTES: Final = 200
"""A base file without keys is smaller (89 bytes by Valkey 9.1), one with a route is larger."""

_INCREMENT: Final = re.compile(r".*\.(\d+)\.incr\.aof")
_CUT_AT: Final = re.compile(rb"Truncating the AOF [^\n]* at offset (\d+)")
_DAMAGE: Final = re.compile(
    r"reading the append only file|MANIFEST|Unrecoverable error|Unable to obtain the AOF"
)
_CHUNK_BYTES: Final = 65_536


def look_over(directory: Path) -> int:
    """Make the files in `directory` fit to be read; the size of the newest, in bytes.

    Raises StoreUnusable where a part of them is missing.
    """
    _check_manifest(directory)
    newest = _newest(directory)
    if newest is None:
        return 0
    try:
        size = _without_zeros(newest)
    except OSError as error:
        raise StoreUnusable(f"cannot use {newest}: {error}") from error
    return size


def tell_of_cut(size: int, said: bytes) -> None:
    """Log it where the server `said` that it dropped the end of the newest file, of `size`."""
    found = _CUT_AT.search(said)
    if found:
        _tell(size - int(found[1]), "cut short")


def hint_on(said: str) -> str:
    """What helps where the server ended, having `said` that its files are damaged; else nothing."""
    return f"\n{READ_DOCS}" if _DAMAGE.search(said) else ""


def _check_manifest(directory: Path) -> None:
    if any(directory.glob("*.manifest")):
        return
    # A server that was killed in its very first moments leaves files in which there is nothing.
    for file in directory.glob("*"):
        size = file.stat().st_size
        if size > (0 if _INCREMENT.fullmatch(file.name) else NOTHING_BYTES):
            raise StoreUnusable(
                f"{file} holds {size} bytes, but the manifest beside it is missing: {READ_DOCS}"
            )


def _newest(directory: Path) -> Path | None:
    found = [(int(m[1]), p) for p in directory.glob("*") if (m := _INCREMENT.fullmatch(p.name))]
    return max(found)[1] if found else None


def _without_zeros(path: Path) -> int:
    """Cut zeros off the end of `path`, where no command of the server can end in one."""
    with path.open("r+b") as file:
        before = size = file.seek(0, 2)
        while size:
            start = max(0, size - _CHUNK_BYTES)
            file.seek(start)
            kept = len(file.read(size - start).rstrip(b"\0"))
            size = start + kept
            if kept:
                break
        if size < before:
            file.truncate(size)
            _tell(before - size, "full of zeros")
    return size


def _tell(dropped_bytes: int, how: str) -> None:
    log.warning(
        "the end of the store's file was %s by a crash: %d bytes were dropped. That is only"
        " what had not been synced, and nothing was sent on the strength of it",
        how,
        dropped_bytes,
    )
