"""The keys of a policy file. Their descriptions are the manual (`manual.py`).

Those of `ramp` are `ramp_schema.py`. What spans several keys (tiers in rising order) is
`policy_checks.py`.
"""

from __future__ import annotations

import re
from datetime import time
from enum import StrEnum
from functools import cache
from typing import Annotated, ClassVar
from zoneinfo import available_timezones

from pydantic import Field

from relay.settings.fields import Kind, Section, Text, choice_text, one_of, parsed
from relay.settings.problems import Wrong, nearest, shown
from relay.settings.ramp_schema import RampSection

_STARTS = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])\Z", re.ASCII)


class WindowKind(StrEnum):
    """The time that a cap is for."""

    CALENDAR_DAY = "calendar-day"


class Excess(StrEnum):
    """What becomes of mail above the cap."""

    DEFER = "defer"


class Recipients(StrEnum):
    """How a message to several recipients is counted."""

    WHOLE = "whole"


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


def _starts(value: str) -> time:
    found = _STARTS.match(value)
    if not found:
        raise Wrong(f'{shown(value)} is not a time of day, such as "07:00"')
    return time(int(found[1]), int(found[2]))


class WindowSection(Section):
    """The time that a cap is for."""

    kind: Annotated[
        WindowKind, one_of(WindowKind, "rolling-24h"), Kind(choice_text(WindowKind))
    ] = Field(WindowKind.CALENDAR_DAY, description="calendar-day: from `starts` to `starts`.")
    timezone: Annotated[str, parsed(_zone), Kind("IANA time zone", str)] = Field(
        "UTC", description="Whose days they are. Summer time makes days of 23 and 25 hours."
    )
    starts: Annotated[
        time, parsed(_starts), Kind('"HH:MM"', lambda moment: f'"{moment:%H:%M}"')
    ] = Field(time(0), description="The time of day at which the window opens.")


class PolicySection(Section):
    """A policy: how one route is warmed."""

    later: ClassVar[frozenset[str]] = frozenset(
        {"hold", "overflow", "split", "providers", "smoothing", "headroom", "idle", "guard"}
        | {"adaptive", "qualify"}
    )

    description: Text = Field(description="What the policy does, in a sentence.")
    source: Annotated[str, parsed(str), Kind("text")] = Field(
        "", description="Where its numbers come from."
    )
    ramp: RampSection = Field(description="How the daily cap rises.")
    window: WindowSection = Field(
        default_factory=WindowSection, description="The time that a cap is for."
    )
    excess: Annotated[Excess, one_of(Excess, "hold", "overflow"), Kind(choice_text(Excess))] = (
        Field(
            Excess.DEFER,
            description="What becomes of mail above the cap. defer: it is answered 451 with the "
            "time of the next sends, and the client tries again.",
        )
    )
    recipients: Annotated[
        Recipients, one_of(Recipients, "split"), Kind(choice_text(Recipients))
    ] = Field(
        Recipients.WHOLE,
        description="whole: a message fits with all of its recipients, or none of it is sent.",
    )
