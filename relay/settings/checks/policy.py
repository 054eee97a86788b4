"""What spans several keys of a policy: one form of ramp, tiers in rising order, and so on."""

from __future__ import annotations

from typing import Any, Final

from relay.core.policy.policy import Excess, Recipients
from relay.core.policy.ramp import Advance
from relay.settings.findings import Findings
from relay.settings.matching import EACH, matches
from relay.settings.problems import shown
from relay.settings.schema.ramp import UNLIMITED
from relay.settings.yaml.document import Document, Path

LONGEST_RAMP_DAYS: Final = 36_500
_FORMS: Final = ("tiers", "growth", "linear")
_BY_DAYS: Final = ("growth", "linear", "then")


def check_policy(document: Document, findings: Findings) -> None:
    """Add to `findings` what is wrong between the keys of a policy."""
    for path, ramp in matches(document.data, ("ramp",)):
        if isinstance(ramp, dict):
            _one_form(path, ramp, document, findings)
            _days_only(path, ramp, document, findings)
            _qualified_only(path, ramp, document, findings)
            _nothing_after_unlimited(path, ramp, document, findings)
    _sticky(document, findings)
    for pattern in (("ramp", "tiers"), ("providers", EACH, "tiers")):
        for path, tiers in matches(document.data, pattern):
            _tiers(path, tiers, document, findings)
    for name in ("growth", "linear"):
        for path, formula in matches(document.data, ("ramp", name)):
            if isinstance(formula, dict):
                _formula(path, formula, document, findings)


def _sticky(document: Document, findings: Findings) -> None:
    data = document.data if isinstance(document.data, dict) else {}
    if data.get("sticky") is None:
        return
    if data.get("excess", Excess.DEFER) == Excess.DEFER:
        text = "sticky says which route a campaign keeps to, and this policy never leaves its own"
        findings.add(document.key_at(("sticky",)), text, "say excess: overflow, or leave it out")
    if data.get("recipients") == Recipients.SPLIT:
        text = "sticky stands beside recipients: split, where the route is chosen before the header"
        findings.add(document.key_at(("sticky",)), f"{text} comes", "keep one of them")


def _one_form(path: Path, ramp: dict[str, Any], document: Document, findings: Findings) -> None:
    first, *more = [name for name in ramp if name in _FORMS] or [""]
    if not first:
        findings.add(document.key_at(path), "ramp has none of tiers, growth and linear")
    for name in more:
        findings.add(
            document.key_at((*path, name)),
            f"{shown(name)} stands beside {shown(first)}",
            "a ramp has one of tiers, growth and linear",
        )
    if "then" in ramp and first in {"growth", "linear"}:
        findings.add(
            document.key_at((*path, "then")),
            f'"then" stands beside {shown(first)}',
            f"move it into {first}",
        )


def _days_only(path: Path, ramp: dict[str, Any], document: Document, findings: Findings) -> None:
    if ramp.get("advance") != Advance.LIFETIME_SENDS:
        return
    for name in ramp:
        if name in _BY_DAYS:
            findings.add(
                document.key_at((*path, name)),
                f"{shown(name)} counts days, and this ramp lifetime-sends",
                "write tiers out, or choose another advance",
            )


def _qualified_only(
    path: Path, ramp: dict[str, Any], document: Document, findings: Findings
) -> None:
    others = [each.value for each in Advance if each is not Advance.QUALIFIED_DAYS]
    if "qualify" in ramp and (advance := ramp.get("advance")) in others:
        findings.add(
            document.key_at((*path, "qualify")),
            f"qualify says which days are qualified ones, and this ramp counts {advance}",
            f"say advance: {Advance.QUALIFIED_DAYS.value}, or leave it out",
        )


def _nothing_after_unlimited(
    path: Path, ramp: dict[str, Any], document: Document, findings: Findings
) -> None:
    tiers = ramp.get("tiers")
    last = tiers[-1] if isinstance(tiers, list) and tiers else None
    if "then" in ramp and isinstance(last, dict) and last.get("cap") == UNLIMITED:
        findings.add(document.key_at((*path, "then")), "nothing comes after an unlimited tier")


def _formula(path: Path, formula: dict[str, Any], document: Document, findings: Findings) -> None:
    start = formula.get("start")
    for name in ("end", "most"):
        value = formula.get(name)
        if isinstance(start, int) and isinstance(value, int) and value < start:
            findings.add(
                document.value_at((*path, name)), f"{name}: {value} is below start: {start}"
            )


def _tiers(path: Path, tiers: Any, document: Document, findings: Findings) -> None:
    before: int | None = None
    advance = next(matches(document.data, ("ramp", "advance")), ((), None))[1]
    is_days = any(advance == each.value for each in Advance if each.counts_days)
    for inner, start in matches(tiers, (EACH, "from"), path):
        if not _is_whole(start):
            continue
        is_first = inner[-2] == 0
        if wrong := _wrong_start(start, before, is_first=is_first, is_days=is_days):
            findings.add(document.value_at(inner), wrong)
        before = start if before is None else max(before, start)
    for inner, tier in list(matches(tiers, (EACH,), path))[:-1]:
        if isinstance(tier, dict) and tier.get("cap") == UNLIMITED:
            findings.add(document.value_at((*inner, "cap")), "only the last tier can be unlimited")


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
