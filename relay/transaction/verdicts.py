"""What walls, or the outcome of a hand-over, means for the charge and for the client."""

from __future__ import annotations

from collections.abc import Sequence

from relay.core.errors import (
    NeverFits,
    RelayError,
    UnknownOutcome,
    UpstreamAnswered,
    UpstreamLacks,
    UpstreamTrouble,
    WarmupLimit,
)
from relay.core.quota.excess import first_to_open, widest
from relay.core.quota.reservation import Verdict, Wall
from relay.core.reply import Reply
from relay.ports.upstream import Lacks, Outcome, Refusal, SaidNo, Taken, Unknown, Unreachable


def verdict_on(outcome: Outcome) -> tuple[Verdict, Reply | RelayError]:
    """What `outcome` means for the charge, and what the client hears of it."""
    match outcome:
        case Taken(answer):
            return Verdict.SENT, answer
        case Unknown():
            return Verdict.UNKNOWN, UnknownOutcome()
        case SaidNo() | Lacks() | Unreachable():
            return Verdict.REFUND, refusal_of(outcome)


def refusal_of(refusal: Refusal) -> RelayError:
    """What the client hears of an upstream that has taken nothing."""
    match refusal:
        case SaidNo(answer, recipient):
            return UpstreamAnswered(answer, recipient)
        case Lacks(extension, why):
            return UpstreamLacks(extension, why)
        case Unreachable():
            return UpstreamTrouble()


def refusal_by(walls: Sequence[Wall]) -> WarmupLimit | NeverFits:
    """What the client hears of `walls`: one for each route that its message might have taken."""
    passable = [wall for wall in walls if not wall.never_fits]
    return WarmupLimit(first_to_open(passable)) if passable else NeverFits(widest(walls))


def heard_as(answer: Reply | RelayError) -> Reply:
    """`answer` if it is a reply; else it is raised."""
    if isinstance(answer, RelayError):
        raise answer
    return answer
