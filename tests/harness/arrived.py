"""What arrived in a maildir upstream: the bytes of each message, in the order of arrival."""

from __future__ import annotations

from pathlib import Path


def arrived(maildir: Path) -> list[bytes]:
    """Every message in `maildir`; none where it does not exist yet."""
    files = [path for place in ("new", "cur") for path in (maildir / place).glob("*")]
    return [path.read_bytes() for path in sorted(files, key=lambda path: path.stat().st_mtime_ns)]
