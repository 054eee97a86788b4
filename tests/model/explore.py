"""Every state that the model can come to, and the shortest way to one that breaks a rule."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from tests.model.attempts import Bounds, Phase, State, Step, steps_from


@dataclass(frozen=True, slots=True)
class Found:
    """`broken`: what was broken, and the steps that lead there; None where nothing is."""

    states: int
    steps: int
    broken: tuple[str, tuple[Step, ...]] | None


def explore(bounds: Bounds, most_states: int = 20_000_000) -> Found:
    """Take every step from every state. Raises MemoryError beyond `most_states`."""
    start = State()
    came_from: dict[State, tuple[State, Step] | None] = {start: None}
    waiting, steps = deque([start]), 0
    while waiting:
        state = waiting.popleft()
        if broken := broken_rule(state, bounds):
            return Found(len(came_from), steps, (broken, _way_to(state, came_from)))
        for step, found in steps_from(state, bounds):
            steps += 1
            if found not in came_from:
                came_from[found] = (state, step)
                waiting.append(found)
        if len(came_from) > most_states:
            raise MemoryError(most_states)
    return Found(len(came_from), steps, None)


def broken_rule(state: State, bounds: Bounds) -> str:
    """Which rule of the design `state` breaks, or nothing."""
    taken = [a.message for a in state.attempts if a.taken]
    in_flight = sum(a.alive and a.phase is Phase.FORWARD and not a.taken for a in state.attempts)
    if len(taken) + in_flight > bounds.cap:
        return "rule 1: more taken and in flight than the cap"
    if len(taken) > state.charged:
        return "rule 1: more taken than charged"
    if not state.heard <= set(taken):
        return "rule 2: 250 for what the upstream has not"
    if state.doubles:
        return "rule 3: sent again, though the store knew"
    return ""


def _way_to(state: State, came_from: dict[State, tuple[State, Step] | None]) -> tuple[Step, ...]:
    way = []
    while before := came_from[state]:
        state, step = before
        way.append(step)
    return tuple(reversed(way))
