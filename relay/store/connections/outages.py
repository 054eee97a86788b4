"""What is written to the log of a store that fails: one line when it begins, one at its end."""

from __future__ import annotations

import logging
import time
from typing import Final

log = logging.getLogger(__name__)

QUIET_S: Final = 10.0
"""A failure that comes and goes is not logged more often than this; one that stays is, then."""


class Outages:
    """What fails at present. A thing is `store` (no answer) or one verb (an error answered).

    `since`: what does, and from when (monotonic).
    """

    def __init__(self) -> None:
        self.since: dict[str, float] = {}
        self._logged: dict[str, float] = {}
        self._told: set[str] = set()

    def failed(self, thing: str, error: Exception) -> None:
        """`thing` failed. Says what it was; errors of redis-py never hold a password."""
        now = time.monotonic()
        self.since.setdefault(thing, now)
        is_quiet = now - self._logged.get(thing, float("-inf")) < QUIET_S
        if thing not in self._told and not is_quiet:
            self._logged[thing] = now
            self._told.add(thing)
            log.warning("%s fails, mail is deferred: %s", _named(thing), told(error))

    def ended(self, thing: str) -> None:
        """`thing` worked. That is logged where its failure was."""
        since = self.since.pop(thing, None)
        if since is not None and thing in self._told:
            self._told.remove(thing)
            log.info("%s works again after %.1f s", _named(thing), time.monotonic() - since)


def told(error: Exception) -> str:
    """`error` in words. A deadline has none of its own, and Shut says what was found before."""
    return f"{type(error).__name__}: {str(error) or 'no answer in time'}"


def _named(thing: str) -> str:
    return "the store" if thing == "store" else f"the store's verb {thing!r}"
