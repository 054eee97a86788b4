"""A policy's `ramp` as tiers: formulas are written out here, when the policy is read.

Nothing beyond this module knows that a ramp was ever a formula. The arithmetic is
`core/policy/growth.py`; what only shows when it is done (too many tiers, caps too high) is
told here.
"""

from __future__ import annotations

from relay.core.policy.growth import (
    MOST_SENDS,
    MOST_TIERS,
    Ending,
    SoftLanding,
    Then,
    TooHigh,
    TooLong,
    as_tiers,
    clamped,
    continued,
    growth,
    linear,
)
from relay.core.policy.ramp import Ramp, Tier
from relay.settings.findings import Findings
from relay.settings.schema.ramp import GrowthSection, LinearSection, RampSection, SoftSection
from relay.settings.yaml.document import Document, Path

_RAMP: Path = ("ramp",)


def read_ramp(section: RampSection, document: Document, findings: Findings) -> Ramp | None:
    """The ramp, or None where it cannot be written out; why is in `findings`.

    `section` has passed `check_policy`.
    """
    tiers = _tiers(section, document, findings)
    if tiers is None:
        return None
    if section.hold_at is not None:
        tiers = clamped(tiers, section.hold_at)
    return Ramp(section.advance, tiers, section.qualify)


def _tiers(section: RampSection, document: Document, findings: Findings) -> tuple[Tier, ...] | None:
    if section.growth:
        caps = _growth(section.growth, document, findings)
        then, path = section.growth.then, (*_RAMP, "growth", "then")
    elif section.linear:
        caps = _linear(section.linear)
        then, path = section.linear.then, (*_RAMP, "linear", "then")
    else:
        tiers = tuple(Tier(tier.start, tier.cap) for tier in section.tiers)
        if section.then is None:
            return tiers
        where = (*_RAMP, "then")
        return _continued(tiers, tiers[-1].start, section.then, where, document, findings)
    if caps is None:
        return None
    return _continued(as_tiers(caps), len(caps) - 1, then, path, document, findings)


def _growth(section: GrowthSection, document: Document, findings: Findings) -> list[int] | None:
    try:
        return growth(section.start, section.factor, section.days, section.most)
    except TooHigh as trouble:
        findings.add(
            document.value_at((*_RAMP, "growth", "days")),
            f"days: the cap of day {trouble.day} would be above {MOST_SENDS}",
            "write fewer days, or add most",
        )
        return None


def _linear(section: LinearSection) -> list[int]:
    return linear(section.start, section.end, section.days, section.most)


def _continued(
    tiers: tuple[Tier, ...],
    last_day: int,
    then: SoftSection | Ending,
    path: Path,
    document: Document,
    findings: Findings,
) -> tuple[Tier, ...] | None:
    last = tiers[-1].cap or 0
    if isinstance(then, SoftSection) and then.until <= last:
        findings.add(
            document.value_at((*path, "until")),
            f"until: {then.until} is not above the last cap, {last}",
            "write then: unlimited for no soft landing",
        )
        return None
    try:
        return continued(tiers, last_day, _then(then))
    except TooLong:
        findings.add(
            document.value_at(path),
            f"then: the ramp would have more than {MOST_TIERS} tiers",
            "write a larger growth, or a lower until",
        )
        return None


def _then(section: SoftSection | Ending) -> Then:
    if isinstance(section, SoftSection):
        return SoftLanding(section.growth, section.until)
    return section
