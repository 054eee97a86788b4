"""How long a process waits for what others may be about to tell the store (rule 3).

A client that gives up and is back at once, at another process, is there as soon as its loss is
seen at the first one, or sooner. So an attempt that another process has under way, or that was
taken there, is looked at again for a moment: then its mark tells, or its client is still there
and this is another mail.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Final

from relay.core.quota.reservation import Answer, Mark, Seen, process_of
from relay.store.connections.line import Line

PAUSES_S: Final = (0.005, 0.01, 0.02, 0.04, 0.08, 0.12, 0.125)
"""0.4 s: a process whose loop is held for longer than that may be waited for in vain."""

AFTER_AN_OUTAGE_S: Final = (*PAUSES_S, 0.2, 0.2, 0.2, 0.2, 0.2)
"""What others have to tell a store that was away they tell once they see that it is back."""

LATELY_S: Final = 5.0


class Patience:
    """Tells what is worth waiting for, and how long."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._began_s = time.monotonic()

    def pauses(self) -> Iterator[float]:
        """Before each further look, in seconds."""
        was_up = time.monotonic() - self._began_s > LATELY_S
        is_back = was_up and self._line.answering_for_s() < LATELY_S
        return iter(AFTER_AN_OUTAGE_S if is_back else PAUSES_S)


def may_change(found: Answer, session: str) -> bool:
    """Whether `found`, asked for `session`, may soon be another answer."""
    return isinstance(found, Seen) and marks_may_change(found.marks, session)


def marks_may_change(marks: Mapping[str, Mark], session: str) -> bool:
    """Whether all of `marks` are TAKEN, and some of them at other processes than `session`."""
    own = process_of(session)
    is_settled = any(mark is not Mark.TAKEN for mark in marks.values())
    return not is_settled and any(process_of(other) != own for other in marks)
