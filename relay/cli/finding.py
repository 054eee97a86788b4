"""One line of `warmup-relay check`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MOST_TOLD: Final = 200
"""Domains whose keys are checked as numbers (80 ms each), asked for in the DNS and each told of.

Of more domains the numbers of each key have to belong together, and only what is wrong is told.
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `says` tells what was found, for people.

    `is_online`: somebody had to be asked for it, so it may be otherwise in a minute.
    """

    part: str
    is_fine: bool
    says: str
    is_online: bool = False


def problem(part: str, says: str) -> Finding:
    """Something that must be mended."""
    return Finding(part, is_fine=False, says=says)


def fine(part: str, says: str) -> Finding:
    """Something that is as it should be, or that only needs to be known."""
    return Finding(part, is_fine=True, says=says)
