"""A policy: what one YAML file in `policies/` says, as plain values.

Owns the words ramp, window, excess and recipients together. The YAML side (keys, positions,
what is refused) is `settings/schema/policy.py`; what a policy means for a number of sends
is `quota/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

from relay.core.policy.limits import ProviderCap
from relay.core.policy.pacing import Smoothing
from relay.core.policy.ramp import Advance, Ramp, Tier
from relay.core.policy.window import CalendarDay, WindowForm

ANY_OTHER: Final = "default"
"""In `Policy.providers`: each provider that is not named, on its own."""


class MailClass(StrEnum):
    """The class of a message (DESIGN §2)."""

    MARKETING = "marketing"
    TRANSACTIONAL = "transactional"


class Recipients(StrEnum):
    """How the recipients of a message are taken (DESIGN §4)."""

    WHOLE = "whole"
    SPLIT = "split"


class Excess(StrEnum):
    """What becomes of mail above a wall (DESIGN §1)."""

    DEFER = "defer"
    OVERFLOW = "overflow"


class IdleAction(StrEnum):
    """What becomes of a route that has not sent for long."""

    RESTART = "restart"
    STEP_BACK = "step-back"


@dataclass(frozen=True, slots=True)
class Idle:
    """`action` is taken when more than `after_days` have passed since the day of the last send."""

    after_days: int
    action: IdleAction


@dataclass(frozen=True, slots=True)
class Sticky:
    """Messages with one value in the field `header` (lower case) are a campaign.

    It keeps to one route until `keep_s` after its last message.
    """

    header: str
    keep_s: int


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy. `name` is its file's name without `.yaml`; `path` is that file.

    `headroom_ppm` is the share of every cap that is kept for a class. `days_off` are weekdays,
    Monday is 0. `recipients` and `sticky` count where it is the policy of a domain's first route.
    """

    name: str
    description: str
    source: str
    ramp: Ramp
    window: WindowForm = field(default_factory=CalendarDay)
    path: str = ""
    providers: Mapping[str, ProviderCap] = field(default_factory=dict)
    headroom_ppm: Mapping[MailClass, int] = field(default_factory=dict)
    smoothing: Smoothing = None
    days_off: frozenset[int] = frozenset()
    idle: Idle | None = None
    recipients: Recipients = Recipients.WHOLE
    excess: Excess = Excess.DEFER
    sticky: Sticky | None = None

    def provider_cap(self, provider: str) -> ProviderCap | None:
        """What the policy says of `provider`; None where it has no wall of its own."""
        return self.providers.get(provider) or self.providers.get(ANY_OTHER)

    def is_off(self, day: date) -> bool:
        """Whether nothing is sent on `day`."""
        return day.weekday() in self.days_off

    def working_day(self, day: date) -> date:
        """`day`, or the first one after it that is no day off; there is one in every week."""
        while self.is_off(day):
            day += timedelta(days=1)
        return day


EXEMPT = Policy(
    name="exempt",
    description="No warm-up: counted, never limited",
    source="",
    ramp=Ramp(Advance.CALENDAR_DAYS, (Tier(0, None),)),
)
"""What the reserved policy name `exempt` means."""
