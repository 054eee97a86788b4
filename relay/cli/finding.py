"""One line of `warmup-relay check`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MOST_TOLD: Final = 200
"""Domains whose keys are checked as numbers (80 ms each), asked for in the DNS and each told of.

Of more domains the numbers of each key have to belong together, and only what is wrong is told.
"""


class Grade(StrEnum):
    """What a finding is: as it should be, for somebody to know of, or to be mended."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `says` tells what was found, for people.

    `is_online`: somebody had to be asked for it, so it may be otherwise in a minute.
    """

    part: str
    grade: Grade
    says: str
    is_online: bool = False

    @property
    def is_fine(self) -> bool:
        """Whether nothing has to be mended."""
        return self.grade is not Grade.PROBLEM


def problem(part: str, says: str) -> Finding:
    """Something that must be mended."""
    return Finding(part, Grade.PROBLEM, says)


def note(part: str, says: str) -> Finding:
    """Something that could not be looked at, or that is as it may be for now."""
    return Finding(part, Grade.NOTE, says)


def fine(part: str, says: str) -> Finding:
    """Something that is as it should be."""
    return Finding(part, Grade.OK, says)
