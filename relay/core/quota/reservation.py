"""What is asked of a store, and what it answers: reservations, their verdicts, their marks.

The face of the quota: the arithmetic behind it is `standing.py` (days, caps, states),
`bounds.py` and `walls.py` (what stops a message), and its names can be had from here. The Lua
scripts do the same sum where it must be atomic; the contract tests hold both against each
other.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from relay.core.policy.policy import MailClass
from relay.core.policy.ramp import Cap
from relay.core.policy.window import Window
from relay.core.quota.bounds import Split, WallKind
from relay.core.quota.campaign import Campaign
from relay.core.quota.standing import (
    Leaving,
    Standing,
    State,
    Tally,
    after_idling,
    cap_of,
    next_tier,
    progress,
    provider_cap_of,
    remaining,
    state_of,
    warmed_on,
    warmup_day,
)
from relay.core.quota.walls import Wall, room_left, wall_before
from relay.core.tenants.tenancy import Route, RouteId
from relay.core.values import value

__all__ = [
    "Answer",
    "Campaign",
    "Demand",
    "Elsewhere",
    "Granted",
    "Leaving",
    "Mark",
    "Part",
    "Reservation",
    "Seen",
    "Split",
    "Standing",
    "State",
    "Tally",
    "Verdict",
    "Wall",
    "WallKind",
    "Walled",
    "after_idling",
    "cap_of",
    "next_tier",
    "process_of",
    "progress",
    "provider_cap_of",
    "remaining",
    "room_left",
    "state_of",
    "wall_before",
    "warmed_on",
    "warmup_day",
]


@value(frozen=True, slots=True)
class Demand:
    """What one message asks of the store: `count` sends of `route` in `window`.

    `split` says how many of them go to which provider (all of them, each provider once).
    `reservation` is a new id, unique over all relays. `fingerprint` identifies the message
    for rule 3 (None: it carries no Message-ID and is never taken for a retry); `session`
    names the client's connection. A `campaign` is granted nothing but over its own route.
    """

    route: Route
    window: Window
    count: int
    now: datetime
    reservation: str
    session: str
    fingerprint: str | None = None
    split: Split = ()
    mail_class: MailClass = MailClass.MARKETING
    campaign: Campaign | None = None


@value(frozen=True, slots=True)
class Reservation:
    """Quota that has been charged. Good for one `settle`.

    `campaign` is the digest of the campaign that it helps to keep to its route.
    """

    id: str
    route: RouteId
    window: Window
    count: int
    session: str
    fingerprint: str | None
    campaign: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a reservation that is to be settled on its own, under an `id` of its own."""

    id: str
    count: int
    split: Split = ()


class Verdict(StrEnum):
    """What became of a reservation."""

    SENT = "sent"
    """The upstream took every recipient."""
    REFUND = "refund"
    """Proven: the upstream took none."""
    UNKNOWN = "unknown"
    """Nobody knows; stays charged, and moves no ramp."""


class Mark(StrEnum):
    """What the store remembers of an earlier attempt at a message (rule 3)."""

    TAKEN = "taken"
    """The upstream took it; when that was noted the client's connection stood."""
    GONE = "gone"
    """The upstream took it, and the client's connection was lost before it heard so."""
    LEFT = "left"
    """The client's connection was lost while the upstream was still being asked."""


@value(frozen=True, slots=True)
class Granted:
    """The reservation stands and is charged; `room` is what is left after it, see `room_left`.

    `is_contested`: another process had the same message under way, or taken, when first asked.
    """

    reservation: Reservation
    room: Cap = None
    is_contested: bool = False


@dataclass(frozen=True, slots=True)
class Walled:
    """Nothing was charged: this is the wall.

    `is_kept`: the message's campaign keeps to this route, so no other may be asked.
    """

    wall: Wall
    is_kept: bool = False


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Nothing was charged: the message's campaign keeps to the route of this `upstream`."""

    upstream: str


@dataclass(frozen=True, slots=True)
class Seen:
    """Nothing was charged: earlier attempts at this message, as session → mark."""

    marks: dict[str, Mark]


def process_of(session: str) -> str:
    """The instance (`ports.Instances`) that a session id, `<instance>.<counter>`, is of."""
    return session.partition(".")[0]


Answer = Granted | Walled | Elsewhere | Seen
"""What a store answers to a demand."""
