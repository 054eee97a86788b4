"""Whether a file is fit to hold a secret, and who may read it, by its mode alone.

Owner and group are the operator's to choose (0600, 0640, 0440 are all in use); everybody is
not. What is done about it is said where the file is read.
"""

from __future__ import annotations

import stat
from typing import Final

_OTHERS: Final = 0o006


def is_open_to_all(mode: int) -> bool:
    """Whether users outside of the file's group may read or write it. `mode` is st_mode."""
    return bool(mode & _OTHERS)


def why_unfit(name: object, mode: int) -> str:
    """Why a file of that mode is not used for a secret, and what mends it; empty if it is fit."""
    if not is_file(mode):
        return f"{name} is not a file"
    if is_open_to_all(mode):
        return f"{name} can be read or written by everybody ({mode & 0o777:04o}): chmod 0600"
    return ""


def is_file(mode: int) -> bool:
    """Whether it may be opened: whoever opens a pipe that nobody writes to waits for ever."""
    return stat.S_ISREG(mode)
