"""A policy: what one YAML file in `policies/` says, as plain values.

Owns the words ramp, window, excess and recipients together. The YAML side (keys, positions,
what is refused) is `settings/policy_schema.py`; what a policy means for a number of sends
is `quota.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from relay.core.ramp import Advance, Ramp, Tier
from relay.core.window import CalendarDay


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy. `name` is its file's name without `.yaml`; `path` is that file."""

    name: str
    description: str
    source: str
    ramp: Ramp
    window: CalendarDay = field(default_factory=CalendarDay)
    path: str = ""


EXEMPT = Policy(
    name="exempt",
    description="No warm-up: counted, never limited",
    source="",
    ramp=Ramp(Advance.CALENDAR_DAYS, (Tier(0, None),)),
)
"""What the reserved policy name `exempt` means."""
