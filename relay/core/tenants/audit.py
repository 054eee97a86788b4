"""The audit log: who changed what, when, why, and what it was before and after."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

MOST_ENTRIES: Final = 20_000
"""The log keeps so many of the newest."""

MOST_REASON: Final = 500
"""Characters of a reason."""

REASON: Final = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$"
"""What a reason is made of: one line, for that of a pause is told to every client."""


_NO_TEXT: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\s]+")


def one_line(text: str) -> str:
    """A reason of what somebody typed into a form: as REASON and MOST_REASON have it."""
    return _NO_TEXT.sub(" ", text).strip()[:MOST_REASON]


class Outcome(StrEnum):
    """What came of it. An open one was begun, and nobody knows (yet) whether it was done."""

    DONE = "done"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One change. `id` sorts by time; `before` and `after` are JSON objects.

    `tenant` is whose it was, `subject` what was changed (a route's id, a domain), `actor` who
    did it in words for people.
    """

    id: str
    at: datetime
    actor: str
    action: str
    tenant: str
    subject: str
    reason: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    outcome: Outcome = Outcome.DONE


@dataclass(frozen=True, slots=True)
class AuditWanted:
    """Which entries: of one tenant, of one subject, older than the entry `before`; None is all."""

    tenant: str | None = None
    subject: str | None = None
    before: str | None = None
