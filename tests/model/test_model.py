"""Reserve, forward, settle, crash and retry, in every order that the bounds allow.

`docs/reliability.md` has the figures. The replay below is what ties the model to the code.
"""

from __future__ import annotations

import asyncio
import random

import pytest

from relay.core.config import StoreConfig
from relay.store import open_store
from relay.store.memory import MemoryStore
from tests.contract.server import bare_server
from tests.contract.world import HandClock, fresh_route, policy
from tests.model.attempts import Bounds, steps_from
from tests.model.explore import explore
from tests.model.replay import Replay

MISTAKES = {
    "no cap": "rule 1",
    "refunds a lost reservation": "rule 1",
    "refunds the unknown": "rule 1",
    "settles twice": "rule 1",
    "remembers nothing": "rule 3",
    "leaves unsaid": "rule 3",
    "waits for nobody": "rule 3",
}
LONGEST_WALK = 60


def test_one_message_three_attempts_two_crashes_and_two_lost_words_break_no_rule():
    found = explore(Bounds(messages=("a",), attempts=3, crashes=2, losses=2))
    assert found.broken is None
    assert found.states > 20_000


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_relays_two_messages_cap_two_a_crash_and_a_lost_word_break_no_rule():
    found = explore(Bounds())
    assert found.broken is None
    assert found.states > 1_000_000


@pytest.mark.parametrize(("mistake", "rule"), MISTAKES.items())
def test_a_relay_that_makes_a_mistake_is_found_out(mistake, rule):
    messages = ("a", "b") if mistake == "no cap" else ("a",)
    found = explore(Bounds(messages=messages, mistake=mistake))
    assert found.broken is not None
    assert found.broken[0].startswith(rule)


def test_a_client_that_asks_again_before_its_quota_was_asked_for_may_be_served_twice():
    """The assumption of the model is needed: a word to the store may be overtaken by much."""
    found = explore(Bounds(messages=("a",), hasty=True))
    assert found.broken is not None
    assert found.broken[0].startswith("rule 3")


@pytest.mark.parametrize("seed", range(6))
async def test_the_code_and_its_reference_store_do_what_the_model_does(seed):
    clock = HandClock()
    for walk in range(20):
        await _walk(MemoryStore(clock), clock, random.Random(seed * 1000 + walk))


@pytest.mark.parametrize("seed", range(6))
async def test_the_code_and_its_real_store_do_what_the_model_does(seed, tmp_path):
    clock = HandClock()
    with bare_server() as server:
        store = await open_store(StoreConfig(server.url), tmp_path, clock)
        try:
            for walk in range(20):
                await _walk(store, clock, random.Random(seed * 1000 + walk))
        finally:
            await store.close()


async def _walk(store, clock, chance):
    bounds = Bounds(attempts=3, crashes=2, losses=2)
    replay = Replay(store, fresh_route(policy((0, bounds.cap))), clock, bounds)
    steps = []
    try:
        while len(steps) < LONGEST_WALK and (
            possible := [step for step, _ in steps_from(replay.state, bounds)]
        ):
            steps.append(chance.choice(possible))
            await replay.step(steps[-1])
    except (AssertionError, TimeoutError):
        pytest.fail(f"{replay.told}, after {steps}")
    finally:
        await asyncio.wait_for(replay.end(), 10)
