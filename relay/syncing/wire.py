"""What is said to the process that syncs, and what it answers. Nothing of sockets.

A request is one byte. Its answer is one line: an errno, 0 for none, a space and a text.
"""

from __future__ import annotations

import errno
from typing import Final

SYNC: Final = b"s"
"""Get all that the server has answered so far onto the disk, if the server could write it."""

FILES: Final = b"f"
"""The same, whatever the server says: nothing is sent any more on the strength of it."""

PING: Final = b"p"
"""Are you there? Nothing is synced."""

FINE: Final = b"0 \n"
MOST_BYTES: Final = 500
"""Of an answer, its end of line included."""


def answer(error: OSError | None) -> bytes:
    """`error` as the answer to a request; None for one that went well."""
    if error is None:
        return FINE
    number = error.errno or (errno.ETIMEDOUT if isinstance(error, TimeoutError) else errno.EIO)
    text = " ".join((error.strerror or str(error)).split())
    told = f"{number} {text}".encode(errors="replace")
    return told[: MOST_BYTES - 1] + b"\n"


def error_in(line: bytes) -> OSError | None:
    """What the answer `line` tells. One that makes no sense is an error too."""
    if line == FINE:
        return None
    number, _, text = line.decode(errors="replace").rstrip("\n").partition(" ")
    if not number.isdecimal() or not int(number):
        return OSError(errno.EPROTO, "the process that syncs the store's file makes no sense")
    return OSError(int(number), text)
