"""A sync while the server is still being asked, where that proves as much as one after the other.

What the server has answered is in the file unless a write of it failed; it says so from then on,
until it has written what was missing. If it says that all is well, and the files are afterwards as
long as they were before, then nothing was missing when the sync began. Where they have grown it
may have been, and all is done again in its order. Blocks.
"""

from __future__ import annotations

from typing import Final

from relay.syncing.files import Files
from relay.syncing.written import Written

MOST_PASSED: Final = 64
"""Syncs that do not try after files that grew: one, twice as many the next time, up to this."""


class Overlap:
    """Syncs `files`, whose server is asked through `written`."""

    def __init__(self, files: Files, written: Written) -> None:
        self._files = files
        self._written = written
        self._passing = 0
        self._next_passing = 1

    def sync(self) -> None:
        """Get all that the server has answered onto the disk. Raises OSError, as `Files.sync`."""
        if self._passing:
            self._passing -= 1
        elif self._written.is_connected:
            if self._at_once():
                self._next_passing = 1
                return
            self._passing, self._next_passing = (
                self._next_passing,
                min(MOST_PASSED, 2 * self._next_passing),
            )
        self._files.sync(self._written.check)

    def _at_once(self) -> bool:
        """Whether that proved it. Raises OSError where the sync itself failed."""
        before = self._files.lengths()
        self._written.ask()
        try:
            self._files.flush()
        except OSError:
            self._written.close()  # its answer is nobody's
            raise
        return self._written.told() and self._files.lengths() == before
