"""The keys of a policy beyond ramp and window: providers, smoothing, headroom, rest and idleness.

Their descriptions are the manual (`settings/manual`). What spans several keys is `checks/walls.py`;
what they become is `wall_reading.py`.
"""

from __future__ import annotations

import re
from datetime import time
from enum import StrEnum
from typing import Annotated, Final

from pydantic import BeforeValidator, Field

from relay.core.policy.growth import MOST_SENDS, MOST_TIERS
from relay.core.policy.policy import IdleAction
from relay.settings.percent import OptionalPercent
from relay.settings.problems import Wrong, nearest, shown
from relay.settings.schema.fields import (
    Kind,
    Present,
    Section,
    choice_text,
    one_of,
    parsed,
    present,
    whole,
)
from relay.settings.schema.ramp import OptionalSends, TierSection
from relay.settings.units import parse_duration

_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])\Z", re.ASCII)
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?\Z", re.ASCII)
_DAY_S: Final = 86_400
NO_SMOOTHING: Final = "none"
EVEN: Final = "even"


def parse_time(value: str) -> time:
    """A time of day, "07:00". Raises Wrong."""
    found = _TIME.match(value)
    if not found:
        raise Wrong(f'{shown(value)} is not a time of day, such as "07:00"')
    return time(int(found[1]), int(found[2]))


def time_text(value: time) -> str:
    """A time of day as YAML."""
    return f'"{value:%H:%M}"'


def provider_name(value: str) -> str:
    """A mailbox provider's name. Raises Wrong."""
    if not _NAME.match(value):
        raise Wrong(f"{shown(value)} is not a provider name: use up to 32 of a-z, 0-9 and '-'")
    return value


def _whole_days(value: str) -> int:
    seconds = parse_duration(value)
    if seconds % _DAY_S:
        raise Wrong(f"{shown(value)} is not a number of whole days, such as 30 days")
    return int(seconds) // _DAY_S


class Weekday(StrEnum):
    """In the order of `date.weekday`."""

    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"


TimeOfDay = Annotated[time, parsed(parse_time, numbers=True), Kind('"HH:MM"', time_text)]
OptionalTime = Annotated[time | None, parsed(parse_time, numbers=True), Kind('"HH:MM"', time_text)]
ProviderKey = Annotated[str, parsed(provider_name), Kind("provider")]
Day = Annotated[Weekday, one_of(Weekday), Kind("weekday")]
Days = Annotated[int, parsed(_whole_days, numbers=True), Kind("days")]


class ProviderCapSection(Section):
    """The most to one mailbox provider: one of `share`, `cap` and `tiers`."""

    share: OptionalPercent = Field(
        None,
        description="So much of the route's cap, rounded down, but 1 at least. A share of an "
        "unlimited cap is unlimited.",
    )
    cap: OptionalSends = Field(None, description="So many sends in one window.")
    tiers: list[TierSection] = Field(
        default_factory=list,
        min_length=1,
        max_length=MOST_TIERS,
        description="A ramp of its own, along what the route's ramp counts.",
    )


class EvenSection(Section):
    """The cap opens bit by bit over the sending hours."""

    begins: OptionalTime = Field(
        None, alias="from", description="Nothing is sent before it. Needs `to`."
    )
    ends: OptionalTime = Field(None, alias="to", description="From here on all of the cap is open.")
    burst: Annotated[int | None, *whole(1, MOST_SENDS)] = Field(
        None, description="So much is open at once. Without it 5 % of the cap, but 1 at least."
    )


def _even(value: object) -> object:
    return {EVEN: {}} if value == EVEN else value


def _smoothing(value: object) -> object:
    if isinstance(value, str) and value not in {NO_SMOOTHING, EVEN}:
        hint = nearest(value, [NO_SMOOTHING, EVEN])
        raise Wrong(f"{shown(value)} is not {NO_SMOOTHING}, {EVEN} or a mapping", hint)
    return None if value == NO_SMOOTHING else _even(present(value))


class SmoothingSection(Section):
    """How the sends of a window are spread over it: one of `hourly_share` and `even`."""

    hourly_share: OptionalPercent = Field(
        None,
        description="In each clock hour of the policy's zone so much of the cap, rounded up.",
    )
    even: Annotated[EvenSection | None, Present] = Field(
        None,
        description="The cap opens along a straight line, over the sending hours or the whole "
        "window: `even` alone, or a mapping. Of 48 sends a day one opens every half hour, the last "
        "one half an hour before the end.",
    )


class HeadroomSection(Section):
    """What is kept of every cap, the route's and each provider's, for a class of mail."""

    transactional: OptionalPercent = Field(
        None,
        description="So much of every cap (rounded down) is for transactional mail: other mail "
        "is stopped where it would leave less, save for what transactional mail has used already.",
    )
    marketing: OptionalPercent = Field(None, description="The same for marketing mail.")


class IdleSection(Section):
    """What becomes of a route that has not sent for long."""

    after: Days = Field(
        description="When more than so many days (such as 30 days) have passed since the day of "
        "the last send."
    )
    do: Annotated[IdleAction, one_of(IdleAction), Kind(choice_text(IdleAction))] = Field(
        description="restart: the ramp begins anew, as with `warmup-relay restart`. step-back: it "
        "goes on from the start of the tier below the one of the last send."
    )


Smoothing = Annotated[
    SmoothingSection | None,
    BeforeValidator(_smoothing),
    Kind("none, even or mapping"),
]
