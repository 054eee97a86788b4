"""The keys of a policy's `ramp`: tiers, or a formula, and what comes after.

Their descriptions are the manual (`settings/manual`). What spans several keys is
`checks/policy.py`; how a formula becomes tiers `ramp_reading.py`.
"""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, ClassVar

from pydantic import Field, PlainValidator

from relay.core.policy.growth import MOST_SENDS, MOST_TIERS, Ending
from relay.core.policy.ramp import QUALIFY_PPM, Advance, Cap
from relay.settings.percent import Percent
from relay.settings.problems import Wrong, nearest, shown
from relay.settings.schema.fields import Kind, Present, Section, choice_text, one_of, whole

UNLIMITED = Ending.UNLIMITED.value
_FACTOR = re.compile(r"[0-9]{1,3}(\.[0-9]{1,6})?\Z", re.ASCII)
_MOST_FACTOR = 100
_MOST_DAYS = MOST_TIERS - 1


def _cap(value: object) -> Cap:
    if value == UNLIMITED:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        hint = nearest(value, [UNLIMITED]) if isinstance(value, str) else ""
        raise Wrong(f"{shown(value)} is neither a whole number nor unlimited", hint)
    if not 1 <= value <= MOST_SENDS:
        raise Wrong(f"{value} is not between 1 and {MOST_SENDS}")
    return value


def cap_yaml(cap: Cap) -> str:
    """A cap as a policy file has it."""
    return UNLIMITED if cap is None else str(cap)


def _factor(value: object) -> Fraction:
    """`1.3` or `"1.3"`, exactly as it is written."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Wrong(f"{shown(value)} is not a number, such as 1.3")
    # The shortest text that gives the float is what stands in the file.
    text = value if isinstance(value, str) else str(value)
    if not _FACTOR.match(text):
        raise Wrong(f"{shown(value)} is not a number such as 1.3, with at most 6 decimals")
    factor = Fraction(Decimal(text))
    if not 1 < factor <= _MOST_FACTOR:
        raise Wrong(f"{text} is not above 1 and at most {_MOST_FACTOR}", "1.3 is 30 % a day more")
    return factor


Factor = Annotated[Fraction, PlainValidator(_factor), Kind("number above 1")]
Sends = Annotated[int, *whole(1, MOST_SENDS)]
OptionalSends = Annotated[int | None, *whole(1, MOST_SENDS)]


class SoftSection(Section):
    """A soft landing in place of a cliff."""

    growth: Factor = Field(
        description="The cap goes on by this factor a day, from the last cap as it stands; each "
        "day rounded half up."
    )
    until: Sends = Field(
        description="The first day on which the cap would be above this is unlimited. Must be "
        "above the last cap."
    )


def _then(value: object) -> SoftSection | Ending:
    if isinstance(value, dict):
        return SoftSection.model_validate(value)
    names = [ending.value for ending in Ending]
    if not isinstance(value, str):
        raise Wrong(f"must be {' or '.join(names)}, or a mapping of growth and until")
    if value not in names:
        hint = nearest(value, names) or "or a mapping: {growth: 1.2, until: 100000}"
        raise Wrong(f"{shown(value)} is not {choice_text(Ending)}", hint)
    return Ending(value)


Then = Annotated[
    SoftSection | Ending, PlainValidator(_then), Kind("unlimited, hold or mapping", str)
]
OptionalThen = Annotated[
    SoftSection | Ending | None, PlainValidator(_then), Kind("unlimited, hold or mapping", str)
]
_THEN = (
    "What comes on the day after the last number. unlimited: the route is warmed. hold: the "
    "last cap for ever. A mapping is a soft landing (`ramp.growth.then`)."
)


class TierSection(Section):
    """From a threshold on, a cap."""

    later: ClassVar[frozenset[str]] = frozenset({"providers"})

    start: Annotated[int, *whole(0, MOST_SENDS)] = Field(
        alias="from",
        description="The tier holds from so many days (or sends) on. The first tier is from 0; "
        "the others rise.",
    )
    cap: Annotated[Cap, PlainValidator(_cap), Kind("whole number or unlimited", cap_yaml)] = Field(
        description="The most sends in one window; unlimited (in the last tier only) ends the "
        "warm-up."
    )


class GrowthSection(Section):
    """A factor a day."""

    start: Sends = Field(description="The cap of day 0.")
    factor: Factor = Field(
        description="The cap of day d is start × factor^d, computed exactly from the number as "
        "it is written, and rounded half up."
    )
    days: Annotated[int, *whole(1, _MOST_DAYS)] = Field(
        description="For how many days; the last of them is day `days` - 1."
    )
    then: Then = Field(description=_THEN)
    most: OptionalSends = Field(None, description="No cap of the formula is above this.")


class LinearSection(Section):
    """As much more every day."""

    start: Sends = Field(description="The cap of day 0.")
    end: Sends = Field(description="The cap of day `days` - 1; not below `start`.")
    days: Annotated[int, *whole(2, _MOST_DAYS)] = Field(
        description="For how many days. The cap of day d is start + (end - start) × d / "
        "(days - 1), rounded down."
    )
    then: Then = Field(description=_THEN)
    most: OptionalSends = Field(None, description="No cap of the formula is above this.")


class RampSection(Section):
    """How the daily cap rises: one of `tiers`, `growth` and `linear`."""

    later: ClassVar[frozenset[str]] = frozenset({"adaptive"})

    advance: Annotated[Advance, one_of(Advance), Kind(choice_text(Advance))] = Field(
        description="What `from` counts. calendar-days: days since the first send; days without "
        "mail count too. sending-days: earlier days on which something was sent. qualified-days: "
        "earlier days on which at least `qualify` of the cap was sent. lifetime-sends: successful "
        "sends ever; the tier is fixed when the window opens, so that crossing a threshold raises "
        "tomorrow's cap."
    )
    qualify: Percent = Field(
        QUALIFY_PPM,
        description="How much of its cap a day must send to be a qualified one, rounded up; "
        "without a cap its first send will do. Only for qualified-days.",
    )
    tiers: list[TierSection] = Field(
        default_factory=list,
        min_length=1,
        max_length=MOST_TIERS,
        description="Thresholds and caps. A cap may be lower than the one before.",
    )
    growth: Annotated[GrowthSection | None, Present] = Field(
        None, description="A formula in place of `tiers`; needs days, not lifetime-sends."
    )
    linear: Annotated[LinearSection | None, Present] = Field(
        None, description="A formula in place of `tiers`; needs days, not lifetime-sends."
    )
    then: OptionalThen = Field(
        None,
        description="What comes after `tiers`, from the day after the last threshold on (see "
        "`ramp.growth.then`); needs days, not lifetime-sends. Without it the last tier holds.",
    )
    hold_at: OptionalSends = Field(
        None,
        description="No cap is ever above this: unlimited becomes this too, so that the route "
        "stays warming for good and a message to more recipients is refused for good.",
    )
