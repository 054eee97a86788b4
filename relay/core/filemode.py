"""Who may read a file that holds a secret, by its mode alone.

Owner and group are the operator's to choose (0600, 0640, 0440 are all in use); everybody is
not. What is done about it is said where the file is read.
"""

from __future__ import annotations

from typing import Final

_OTHERS: Final = 0o006


def is_open_to_all(mode: int) -> bool:
    """Whether users outside of the file's group may read or write it. `mode` is st_mode."""
    return bool(mode & _OTHERS)


def open_to_all_text(name: object, mode: int) -> str:
    """The complaint: what is wrong, and the command that mends it."""
    return f"{name} can be read or written by everybody ({mode & 0o777:04o}): chmod 0600"
