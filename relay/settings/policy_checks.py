"""What spans several keys of a policy: tiers in rising order, unlimited only at the end."""

from __future__ import annotations

from typing import Any

from relay.core.ramp import Advance
from relay.settings.document import Document
from relay.settings.findings import Findings
from relay.settings.matching import EACH, matches
from relay.settings.policy_schema import LONGEST_RAMP_DAYS, UNLIMITED


def check_policy(document: Document, findings: Findings) -> None:
    """Add to `findings` what is wrong between the keys of a policy."""
    tiers = list(matches(document.data, ("ramp", "tiers", EACH)))
    _rising(document, findings)
    for path, tier in tiers[:-1]:
        if isinstance(tier, dict) and tier.get("cap") == UNLIMITED:
            findings.add(document.value_at((*path, "cap")), "only the last tier can be unlimited")


def _rising(document: Document, findings: Findings) -> None:
    before: int | None = None
    is_days = (
        next(matches(document.data, ("ramp", "advance")), ((), None))[1] == Advance.CALENDAR_DAYS
    )
    for path, start in matches(document.data, ("ramp", "tiers", EACH, "from")):
        if not _is_whole(start):
            continue
        if wrong := _wrong_start(start, before, is_first=path[2] == 0, is_days=is_days):
            findings.add(document.value_at(path), wrong)
        before = start if before is None else max(before, start)


def _wrong_start(start: int, before: int | None, *, is_first: bool, is_days: bool) -> str:
    if is_first and start > 0:
        return f"the first tier must be from 0, not {start}"
    if before is not None and start <= before:
        return f"from: {start} does not rise: the tier before is from {before}"
    if is_days and start > LONGEST_RAMP_DAYS:
        return f"from: {start} is more than {LONGEST_RAMP_DAYS} days"
    return ""


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
