"""Which change makes sense in which state."""

import pytest

from relay.core.quota.changes import Verb, may, why_not
from relay.core.quota.standing import State

MAY = {
    State.PENDING: ["start", "pause", "graduate", "restart"],
    State.WARMING: ["pause", "graduate", "restart"],
    State.WARMED: ["pause", "restart"],
    State.PAUSED: ["resume", "graduate", "restart"],
    State.EXEMPT: ["pause"],
}


@pytest.mark.parametrize("state", State)
def test_a_state_offers_exactly_these(state):
    assert [verb.value for verb in may(state)] == MAY[state]


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("verb", Verb)
def test_what_is_not_offered_is_refused_in_words(verb, state):
    assert (why_not(verb, state) is None) == (verb.value in MAY[state])


def test_an_exempt_route_that_is_paused_is_resumed_and_nothing_else():
    assert may(State.PAUSED, has_ramp=False) == [Verb.RESUME]
    assert why_not(Verb.PAUSE, State.PAUSED, has_ramp=False) == "was paused already"
    told = why_not(Verb.GRADUATE, State.PAUSED, has_ramp=False)
    assert told == "is exempt from warm-up: there is no ramp"
