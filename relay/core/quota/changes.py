"""What an operator may do to a route, and in which state (DESIGN §2, §7).

    pending ──first send──▶ warming ──end of the ramp, or graduate──▶ warmed
       ▲                       │                                        │
       └───────────────────────┴──────────────── restart ───────────────┘
    any ──pause──▶ paused ──resume──▶ what it was;   exempt: no ramp, so only pause and resume

The states themselves are computed in `standing.py`; the command line, the API and the pages
ask here what they may offer.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from relay.core.quota.standing import State


class Verb(StrEnum):
    """What may be done to a route."""

    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    GRADUATE = "graduate"
    RESTART = "restart"


DONE: Final = {
    Verb.START: "started",
    Verb.PAUSE: "paused",
    Verb.RESUME: "resumed",
    Verb.GRADUATE: "graduated",
    Verb.RESTART: "restarted",
}
"""What is said of a route to which it was done."""

IDLE: Final = {
    Verb.START: "was started already",
    Verb.PAUSE: "was paused already",
    Verb.RESUME: "was not paused",
    Verb.GRADUATE: "had graduated already",
    Verb.RESTART: "had not begun",
}
"""What is said of one where there was nothing to do."""

_HAVE_BEGUN: Final = frozenset({State.WARMING, State.WARMED, State.PAUSED})
_MAY: Final = {
    Verb.START: frozenset({State.PENDING}),
    Verb.PAUSE: frozenset(State) - {State.PAUSED},
    Verb.RESUME: frozenset({State.PAUSED}),
    Verb.GRADUATE: frozenset({State.PENDING, State.WARMING, State.PAUSED}),
    # A ramp that idleness has sent a tier back is pending, and has something to forget.
    Verb.RESTART: _HAVE_BEGUN | {State.PENDING},
}


def may(state: State, *, has_ramp: bool = True) -> list[Verb]:
    """What makes sense in `state`, in the order in which to offer it."""
    return [verb for verb in Verb if why_not(verb, state, has_ramp=has_ramp) is None]


def why_not(verb: Verb, state: State, *, has_ramp: bool = True) -> str | None:
    """Why `verb` makes no sense for a route in `state`, for people; None if it does.

    An exempt route that is paused is `paused` too: `has_ramp` tells it from the others.
    """
    is_of_ramp = verb not in {Verb.PAUSE, Verb.RESUME}
    if state in _MAY[verb] and (has_ramp or not is_of_ramp):
        return None
    if state is State.EXEMPT or (is_of_ramp and not has_ramp):
        return "is exempt from warm-up: there is no ramp"
    if verb is Verb.START:
        return "is paused: resume it" if state is State.PAUSED else f"runs already: it is {state}"
    return IDLE[verb]
