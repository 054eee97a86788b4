"""The keys of a policy file. Their descriptions are the manual (`settings/manual`).

Those of `ramp` are `ramp.py`, those of limits inside the cap `walls.py`. What
spans several keys (tiers in rising order) is `checks/policy.py` and `checks/walls.py`.
"""

from __future__ import annotations

from datetime import time
from enum import StrEnum
from functools import cache
from typing import Annotated, ClassVar
from zoneinfo import available_timezones

from pydantic import Field

from relay.core.policy.policy import ANY_OTHER, Excess, Recipients
from relay.core.providers import OTHER
from relay.settings.problems import Wrong, nearest, shown
from relay.settings.schema.fields import Kind, Present, Section, Text, choice_text, one_of, parsed
from relay.settings.schema.ramp import RampSection
from relay.settings.schema.sticky import StickySection
from relay.settings.schema.walls import (
    Day,
    HeadroomSection,
    IdleSection,
    ProviderCapSection,
    ProviderKey,
    Smoothing,
    TimeOfDay,
)


class WindowKind(StrEnum):
    """The time that a cap is for."""

    CALENDAR_DAY = "calendar-day"
    ROLLING_24H = "rolling-24h"


@cache
def _zones() -> frozenset[str]:
    # Both depend on the machine, not on the database.
    return frozenset(available_timezones() - {"localtime", "Factory"})


def _zone(value: str) -> str:
    if value not in _zones():
        raise Wrong(
            f"{shown(value)} is not an IANA time zone, such as UTC or Europe/Berlin", _like(value)
        )
    return value


def _like(zone: str) -> str:
    by_lower = {known.lower(): known for known in _zones()}
    exact = by_lower.get(zone.lower())
    return f'did you mean "{exact}"?' if exact else nearest(zone.capitalize(), _zones())


class WindowSection(Section):
    """The time that a cap is for."""

    kind: Annotated[WindowKind, one_of(WindowKind), Kind(choice_text(WindowKind))] = Field(
        WindowKind.CALENDAR_DAY,
        description="calendar-day: from `starts` to `starts`. rolling-24h: the last 24 hours, "
        "counted in slices of 15 minutes of which one more is counted than needed, so that no 24 "
        "hours ever hold more than the cap; the ramp's days are still calendar days.",
    )
    timezone: Annotated[str, parsed(_zone), Kind("IANA time zone", str)] = Field(
        "UTC", description="Whose days they are. Summer time makes days of 23 and 25 hours."
    )
    starts: TimeOfDay = Field(time(0), description="The time of day at which the day begins.")


class PolicySection(Section):
    """A policy: how one route is warmed."""

    later: ClassVar[frozenset[str]] = frozenset({"hold", "guard", "adaptive"})

    description: Text = Field(description="What the policy does, in a sentence.")
    source: Annotated[str, parsed(str), Kind("text")] = Field(
        "", description="Where its numbers come from."
    )
    ramp: RampSection = Field(description="How the daily cap rises.")
    window: WindowSection = Field(
        default_factory=WindowSection, description="The time that a cap is for."
    )
    excess: Annotated[Excess, one_of(Excess, "hold"), Kind(choice_text(Excess))] = Field(
        Excess.DEFER,
        description="What becomes of mail that a limit of the policy, a day off or a pause stops. "
        "defer: it is answered 451 with the time of the next sends, and the client tries again. "
        "overflow: the domain's next route takes it, if that has room; on the last route of a "
        "domain it is as defer (docs/overflow.md).",
    )
    sticky: Annotated[StickySection | None, Present] = Field(
        None,
        description="Keeps each campaign on the route of its first message: overflow decides for "
        "campaigns and not for each message. That of the domain's first route counts.",
    )
    recipients: Annotated[Recipients, one_of(Recipients), Kind(choice_text(Recipients))] = Field(
        Recipients.WHOLE,
        description="whole: a message fits with all of its recipients, or none of it is sent. "
        "split: each recipient is reserved, offered to the upstream and answered at its own RCPT; "
        "only for clients that are mail servers, because applications lose recipients by it "
        "without a word. That of the domain's first route counts.",
    )
    providers: dict[ProviderKey, ProviderCapSection] = Field(
        default_factory=dict,
        description="The most to each mailbox provider, inside the cap. Names are those of "
        f"`providers.yaml`, and `{OTHER}` for what is nobody's. `{ANY_OTHER}` is for each provider "
        "that is not named, on its own; without it those have no limit but the cap.",
    )
    smoothing: Smoothing = Field(
        None,
        description="How the sends of a window are spread over it. none: they may all go at once.",
    )
    headroom: HeadroomSection = Field(
        default_factory=HeadroomSection,
        description="What is kept of every cap for a class of mail.",
    )
    days_off: list[Day] = Field(
        default_factory=list,
        max_length=6,
        description="Days of the policy's zone on which nothing is sent. Days go on counting.",
    )
    idle: Annotated[IdleSection | None, Present] = Field(
        None, description="What becomes of a route that has not sent for long."
    )
