"""What spans several keys of a policy's walls: one form of each, hours inside the window."""

from __future__ import annotations

from collections.abc import Collection
from datetime import time
from typing import Any, Final

from relay.core.policy.policy import ANY_OTHER
from relay.settings.findings import Findings
from relay.settings.matching import EACH, Unique, matches
from relay.settings.percent import parse_percent
from relay.settings.problems import Wrong, known, nearest, shown
from relay.settings.schema.walls import parse_time, provider_name
from relay.settings.yaml.document import Document, Path

_CAPS: Final = ("share", "cap", "tiers")
_SMOOTHINGS: Final = ("hourly_share", "even")
_WHOLE_DAY: Final = 24 * 60


def check_walls(
    document: Document, findings: Findings, providers: Collection[str] | None = None
) -> None:
    """Add to `findings` what is wrong between the keys of a policy's walls.

    `providers` are the names that exist; None where that is not known.
    """
    for path, rule in matches(document.data, ("providers", EACH)):
        _one_of(path, rule, _CAPS, document, findings)
        if providers is not None and _is_name(path[-1]):
            _known(path, providers, document, findings)
    for path, smoothing in matches(document.data, ("smoothing",)):
        _one_of(path, smoothing, _SMOOTHINGS, document, findings)
    for path, even in matches(document.data, ("smoothing", "even")):
        if isinstance(even, dict):
            _hours(path, even, document, findings)
    _headroom(document, findings)
    days = Unique("the day", document, findings)
    for path, day in matches(document.data, ("days_off", EACH)):
        if isinstance(day, str):
            days.see(day, path)


def _one_of(
    path: Path, section: Any, names: tuple[str, ...], document: Document, findings: Findings
) -> None:
    if not isinstance(section, dict):
        return
    first, *more = [name for name in section if name in names] or [""]
    choice = f"{', '.join(names[:-1])} and {names[-1]}"
    if not first:
        findings.add(document.key_at(path), f"{path[-1]} has none of {choice}")
    for name in more:
        findings.add(
            document.key_at((*path, name)),
            f"{shown(name)} stands beside {shown(first)}",
            f"keep one of {choice}",
        )


def _is_name(key: str | int) -> bool:
    """No for what the schema complains about already."""
    try:
        return isinstance(key, str) and bool(provider_name(key))
    except Wrong:
        return False


def _known(path: Path, names: Collection[str], document: Document, findings: Findings) -> None:
    name = str(path[-1])
    if name not in names and name != ANY_OTHER:
        hint = nearest(name, [*names, ANY_OTHER]) or known(names)
        findings.add(document.key_at(path), f"unknown provider {shown(name)}", hint)


def _hours(path: Path, even: dict[str, Any], document: Document, findings: Findings) -> None:
    missing = [name for name in ("from", "to") if name not in even]
    if len(missing) == 1:
        findings.add(document.key_at(path), f"{shown(missing[0])} is missing in even")
    begins, ends = _minutes(even.get("from")), _minutes(even.get("to"))
    starts = next((_minutes(v) for _, v in matches(document.data, ("window", "starts"))), 0)
    if begins is None or ends is None or starts is None:
        return
    first, last = (begins - starts) % _WHOLE_DAY, (ends - starts) % _WHOLE_DAY or _WHOLE_DAY
    if last <= first:
        findings.add(
            document.value_at((*path, "to")),
            f"to: {shown(even['to'])} is not after from within a window that starts at "
            f'"{time(starts // 60, starts % 60):%H:%M}"',
            "move window.starts, or the hours",
        )


def _minutes(value: Any) -> int | None:
    """None for what the schema complains about already."""
    try:
        found = parse_time(value) if isinstance(value, str) else None
    except Wrong:
        return None
    return None if found is None else found.hour * 60 + found.minute


def _headroom(document: Document, findings: Findings) -> None:
    total = 0
    for path, share in matches(document.data, ("headroom", EACH)):
        try:
            total += parse_percent(share) if isinstance(share, str) else 0
        except Wrong:
            continue
        if total > parse_percent("100%"):
            findings.add(document.value_at(path), "headroom: more than 100% of the cap is kept")
