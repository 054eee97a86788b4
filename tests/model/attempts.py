"""A small model of what happens to messages: reserve, forward, settle, answer, crash, retry.

Every step is one that the world may take next: a relay's verb reaches the store or gets lost,
the upstream takes a message or refuses it, a client goes away, a relay is killed. `explore.py`
takes all of them in all orders. Values only: a state never changes.

What is assumed of the world, and nothing else: a client asks again only after its first attempt
has reached the store or failed to (`Bounds.hasty` lets it ask at once); and a relay that lives
tells the store of a lost client before others who wait for that (`_waits`) run out of patience.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Phase(StrEnum):
    """How far a relay is with an attempt. `deserted`: charged when its client had gone already."""

    RESERVE = "reserve"
    ANEW = "anew"
    DESERTED = "deserted"
    FORWARD = "forward"
    SETTLE = "settle"
    TOLD = "told"
    OVER = "over"


class Attempt(NamedTuple):
    """One transmission of a message to a relay, in a session of its own.

    `taken`: the upstream has it. `verdict`: what the relay makes of that (sent, refund,
    unknown). `reply`: 250, 451, or 0 before there is one. `stands_for`: the earlier attempt that
    this one is a retry of, or -1. `owes`: a settlement that has not got through. `noted`: the
    store knows that it was taken. `left`: and that its client is gone.
    """

    message: str
    relay: int
    phase: Phase = Phase.RESERVE
    connected: bool = True
    alive: bool = True
    taken: bool = False
    verdict: str = ""
    reply: int = 0
    stands_for: int = -1
    owes: bool = False
    noted: bool = False
    left: bool = False


class State(NamedTuple):
    """The whole world. `records` and `marks` speak of attempts by their number.

    `heard`: messages whose client was told 250. `doubles`: takes of a message of which the store
    knew already. `crashes` of relays and `losses` of words to or from the store are bounded.
    """

    attempts: tuple[Attempt, ...] = ()
    charged: int = 0
    records: frozenset[int] = frozenset()
    marks: tuple[tuple[int, str], ...] = ()
    heard: frozenset[str] = frozenset()
    doubles: int = 0
    crashes: int = 0
    losses: int = 0


class Step(NamedTuple):
    """What happens next: `what` to attempt or relay `to`, and how it goes."""

    what: str
    to: int
    how: str = ""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much may happen, and which mistake the relay makes (for a test of the checker)."""

    messages: tuple[str, ...] = ("a", "b")
    relays: int = 2
    cap: int = 2
    attempts: int = 2
    crashes: int = 1
    losses: int = 1
    hasty: bool = False
    mistake: str = ""


def steps_from(state: State, bounds: Bounds) -> Iterator[tuple[Step, State]]:
    """Every step that may come next, with the state after it."""
    yield from _sending(state, bounds)
    for number, attempt in enumerate(state.attempts):
        yield from _by_client(state, number, attempt, bounds)
        if attempt.alive:
            for step in _by_relay(state, number, attempt, bounds):
                yield step, after(state, step, bounds)
    if state.crashes < bounds.crashes:
        for relay in {a.relay for a in state.attempts if a.alive and a.phase is not Phase.OVER}:
            step = Step("crash", relay)
            yield step, after(state, step, bounds)


def _sending(state: State, bounds: Bounds) -> Iterator[tuple[Step, State]]:
    known = len({a.message for a in state.attempts})
    for message in bounds.messages[: known + 1]:  # messages not sent yet are all alike
        tried = [a for a in state.attempts if a.message == message]
        waits = any(a.connected and a.alive and a.phase is not Phase.OVER for a in tried)
        if message in state.heard or waits or len(tried) == bounds.attempts:
            continue
        if not bounds.hasty and any(_is_asking(a) for a in tried):
            continue
        used = len({a.relay for a in state.attempts})
        for relay in range(min(bounds.relays, used + 1)):  # unused ones are all alike
            step = Step("send", relay, message)
            yield step, after(state, step, bounds)


def _is_asking(attempt: Attempt) -> bool:
    """Whether its client is gone, and its relay is still asking the store for quota."""
    return attempt.alive and not attempt.connected and attempt.phase in {Phase.RESERVE, Phase.ANEW}


def _waits(state: State, number: int) -> bool:
    """Whether the store is not asked yet, for it may be told of a client that is gone."""
    own = state.attempts[number]
    others = [a for a in state.attempts if a.message == own.message and a.relay != own.relay]
    return any(_is_unnoticed(other) and not _is_asking(other) for other in others)


def _is_unnoticed(attempt: Attempt) -> bool:
    """Whether its client is gone and its relay lives, but the store has not been told."""
    under_way = attempt.phase is not Phase.OVER or attempt.owes or _may_note_left(attempt)
    return attempt.alive and not attempt.connected and under_way and not attempt.left


def _by_client(
    state: State, number: int, attempt: Attempt, bounds: Bounds
) -> Iterator[tuple[Step, State]]:
    waits = attempt.phase not in {Phase.TOLD, Phase.OVER}
    if attempt.connected and attempt.alive and waits:
        step = Step("drop", number)
        yield step, _drop(state, step, bounds)


def _by_relay(state: State, number: int, attempt: Attempt, bounds: Bounds) -> Iterator[Step]:
    loses = ("lost", "unsent") if state.losses < bounds.losses else ()
    waits = bounds.mistake != "waits for nobody" and _waits(state, number)
    match attempt.phase:
        case Phase.RESERVE | Phase.ANEW if waits:
            pass
        case Phase.RESERVE | Phase.ANEW:
            yield from (Step(attempt.phase.value, number, how) for how in ("ok", *loses))
        case Phase.FORWARD if attempt.taken:
            yield from (Step("answer", number, how) for how in ("known", "unknown"))
        case Phase.FORWARD:
            yield from (Step("upstream", number, how) for how in ("takes", "refuses", "vanishes"))
        case Phase.SETTLE:
            yield from (Step("settle", number, how) for how in ("ok", *loses))
        case Phase.TOLD if not attempt.owes:
            yield Step("heard", number)
    if attempt.owes:
        yield Step("resettle", number)
    if _may_note_left(attempt):
        yield Step("left", number)


def _may_note_left(attempt: Attempt) -> bool:
    if attempt.connected or attempt.left or attempt.owes:
        return False
    return attempt.phase in {Phase.DESERTED, Phase.FORWARD, Phase.SETTLE} or (
        attempt.phase is Phase.OVER and (attempt.verdict == "sent" or attempt.stands_for >= 0)
    )


def after(state: State, step: Step, bounds: Bounds) -> State:
    """The state after `step`."""
    return _EFFECTS[step.what](_lossy(state, step), step, bounds)


def _send(state: State, step: Step, _bounds: Bounds) -> State:
    number, sent = len(state.attempts), Attempt(step.how, step.to)
    state = state._replace(attempts=(*state.attempts, sent))
    return _told(state, number, sent, 451) if _is_left_here(state, number) else state


def _is_left_here(state: State, number: int) -> bool:
    """Whether its relay is at another attempt whose client has gone, or owes its settlement."""
    own = state.attempts[number]
    return any(
        (other.message, other.relay) == (own.message, own.relay)
        and other.alive
        and not other.connected
        and (other.phase not in {Phase.TOLD, Phase.OVER} or other.owes)
        for n, other in enumerate(state.attempts)
        if n != number
    )


def _drop(state: State, step: Step, _bounds: Bounds) -> State:
    return _with(state, step.to, state.attempts[step.to]._replace(connected=False))


def _lossy(state: State, step: Step) -> State:
    return state._replace(losses=state.losses + (step.how in {"lost", "unsent"}))


def _with(state: State, number: int, attempt: Attempt) -> State:
    attempts = (*state.attempts[:number], _plain(attempt), *state.attempts[number + 1 :])
    return state._replace(attempts=attempts)


def _plain(attempt: Attempt) -> Attempt:
    """Without what can matter no more, so that states which only differ in that are one."""
    if attempt.alive and (attempt.phase is not Phase.OVER or attempt.owes):
        return attempt
    if attempt.alive and _may_note_left(attempt):
        return attempt
    return attempt._replace(phase=Phase.OVER, connected=False, verdict="", stands_for=-1, left=True)


def _crash(state: State, step: Step, _bounds: Bounds) -> State:
    """Its attempts are over, and its clients see their connections lost."""
    attempts = tuple(
        _plain(a._replace(alive=False, owes=False)) if a.relay == step.to else a
        for a in state.attempts
    )
    return state._replace(attempts=attempts, crashes=state.crashes + 1)


def _reserve(state: State, step: Step, bounds: Bounds) -> State:
    attempt = state.attempts[step.to]
    if step.how == "unsent":
        if bounds.mistake == "refunds a lost reservation":
            state = state._replace(charged=state.charged - 1)
        return _told(state, step.to, attempt, 451)
    if attempt.phase is Phase.RESERVE and (marks := _marks(state, attempt.message)):
        if step.how == "lost":
            return _told(state, step.to, attempt, 451)
        return _seen(state, step.to, marks)
    if state.charged >= bounds.cap and bounds.mistake != "no cap":
        return _told(state, step.to, attempt, 451)
    charged = state._replace(charged=state.charged + 1, records=state.records | {step.to})
    if step.how == "lost":
        return _told(charged, step.to, attempt, 451)
    return _with(charged, step.to, _granted(state, step.to, attempt))


def _granted(state: State, number: int, attempt: Attempt) -> Attempt:
    """What becomes of it now: `charging.py`."""
    is_contested = not attempt.connected and _is_contested(state, number)
    if is_contested or _is_left_here(state, number):
        return attempt._replace(phase=Phase.SETTLE, verdict="refund", left=True)
    return attempt._replace(phase=Phase.FORWARD if attempt.connected else Phase.DESERTED)


def _is_contested(state: State, number: int) -> bool:
    """Whether the store has an attempt at the same message by another process as under way."""
    own, marked = state.attempts[number], dict(state.marks)
    return any(
        other.message == own.message and not (other.relay == own.relay and other.alive)
        for n, other in enumerate(state.attempts)
        if n != number and n in state.records and n not in marked
    )


def _marks(state: State, message: str) -> dict[int, str]:
    return {n: mark for n, mark in state.marks if state.attempts[n].message == message}


def _seen(state: State, number: int, marks: dict[int, str]) -> State:
    """What a relay makes of earlier attempts: retries.py."""
    attempt = state.attempts[number]
    for earlier, mark in marks.items():
        if mark == "gone" or (mark == "taken" and not _session_lives(state, number, earlier)):
            return _told(state, number, attempt._replace(stands_for=earlier), 250)
    if "left" in marks.values():
        return _told(state, number, attempt, 451)
    return _with(state, number, attempt._replace(phase=Phase.ANEW))


def _session_lives(state: State, number: int, earlier: int) -> bool:
    """Own sessions are known; of another relay only whether it lives."""
    other = state.attempts[earlier]
    if other.relay == state.attempts[number].relay:
        return other.alive and other.connected
    return other.alive


def _forward(state: State, step: Step, bounds: Bounds) -> State:
    attempt = state.attempts[step.to]
    if step.how == "takes":
        doubles = sum(a.noted for a in state.attempts if a.message == attempt.message)
        state = state._replace(doubles=state.doubles + doubles)
        return _with(state, step.to, attempt._replace(taken=True))
    verdict = {"known": "sent", "refuses": "refund"}.get(step.how, "unknown")
    if verdict == "unknown" and bounds.mistake == "refunds the unknown":
        verdict = "refund"
    return _with(state, step.to, attempt._replace(phase=Phase.SETTLE, verdict=verdict))


def _settle(state: State, step: Step, bounds: Bounds) -> State:
    attempt = state.attempts[step.to]
    owes = step.how in {"lost", "unsent"}
    noted = attempt.noted or (step.how != "unsent" and attempt.verdict == "sent")
    settled = attempt._replace(owes=owes, noted=noted)
    if bounds.mistake == "settles twice" and step.to not in state.records:
        state = state._replace(charged=state.charged - 1)
    if step.how != "unsent" and step.to in state.records:
        state = _recorded(state, step.to, attempt, bounds)
    if attempt.phase is Phase.SETTLE:
        return _told(state, step.to, settled, 250 if attempt.verdict == "sent" else 451)
    return _with(state, step.to, settled)


def _recorded(state: State, number: int, attempt: Attempt, bounds: Bounds) -> State:
    """settle.lua."""
    marks = dict(state.marks)
    had_left = marks.pop(number, "") == "left"
    if attempt.verdict == "sent" and bounds.mistake != "remembers nothing":
        marks[number] = "gone" if had_left else "taken"
    return state._replace(
        records=state.records - {number},
        charged=state.charged - (attempt.verdict == "refund"),
        marks=tuple(sorted(marks.items())),
    )


def _told(state: State, number: int, attempt: Attempt, reply: int) -> State:
    """The reply is written; whether a client is there to hear it, or not."""
    attempt = attempt._replace(reply=reply)
    if attempt.connected and reply == 250:
        state = state._replace(heard=state.heard | {attempt.message})
        return _with(state, number, attempt._replace(phase=Phase.TOLD))
    return _with(state, number, attempt._replace(phase=Phase.OVER))


def _heard(state: State, step: Step, _bounds: Bounds) -> State:
    """heard.lua; a retry forgets the attempt that it stands for."""
    attempt = state.attempts[step.to]
    forgotten = attempt.stands_for if attempt.stands_for >= 0 else step.to
    marks = tuple((n, mark) for n, mark in state.marks if n != forgotten)
    state = state._replace(marks=marks)
    return _with(state, step.to, attempt._replace(phase=Phase.OVER))


def _left(state: State, step: Step, bounds: Bounds) -> State:
    """left.lua."""
    number = step.to
    attempt = state.attempts[number]
    phase = Phase.FORWARD if attempt.phase is Phase.DESERTED else attempt.phase
    state = _with(state, number, attempt._replace(left=True, phase=phase))
    marks = dict(state.marks)
    remembered = attempt.stands_for if attempt.stands_for >= 0 else number
    if marks.get(remembered) == "taken":
        marks[remembered] = "gone"
    elif number not in marks and number in state.records and bounds.mistake != "leaves unsaid":
        marks[number] = "left"
    return state._replace(marks=tuple(sorted(marks.items())))


_EFFECTS: dict[str, Callable[[State, Step, Bounds], State]] = {
    "send": _send,
    "drop": _drop,
    "crash": _crash,
    "reserve": _reserve,
    "anew": _reserve,
    "upstream": _forward,
    "answer": _forward,
    "settle": _settle,
    "resettle": _settle,
    "heard": _heard,
    "left": _left,
}
