"""The last 24 hours, held against a plain list of the instants at which mail was really sent."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from relay.core.config import StoreConfig
from relay.core.quota.reservation import Granted, Verdict
from relay.store import open_store
from relay.store.memory import MemoryStore
from tests.contract.server import bare_server
from tests.contract.world import HandClock, World, fresh_route, policy

BEGIN = datetime(2026, 3, 28, 20, 0, tzinfo=UTC)
CAP = 10
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Step:
    """So long after the step before, a message to so many, that takes so long to hand over."""

    after_s: int
    sends: int
    takes_s: int
    verdict: Verdict


steps = st.builds(
    Step,
    st.one_of(st.integers(0, 3 * 3600), st.sampled_from([86_400, 86_399, 87_300, 88_200, 900])),
    st.integers(1, 6),
    st.integers(0, 899),
    st.sampled_from([Verdict.SENT, Verdict.SENT, Verdict.SENT, Verdict.UNKNOWN, Verdict.REFUND]),
)


@pytest.fixture(scope="module")
def stores() -> Iterator[tuple]:
    clock = HandClock()
    with (
        bare_server() as server,
        asyncio.Runner() as runner,
        tempfile.TemporaryDirectory() as folder,
    ):
        real = runner.run(open_store(StoreConfig(server.url, timeout_s=20), Path(folder), clock))
        yield runner, clock, real
        runner.run(real.close())


async def _sent_instants(store, clock, plan) -> tuple[list[tuple[datetime, int]], int]:
    """When how much was sent (or may have been), following `plan`; and what was refused."""
    world = World(store, clock, fresh_route(policy((0, CAP), rolling=True)))
    clock.set(BEGIN)
    sent: list[tuple[datetime, int]] = []
    ending: list[tuple[datetime, object, Step]] = []
    refused = 0

    async def settle_until(moment: datetime) -> None:
        for ends, held, step in sorted(ending, key=lambda each: each[0]):
            if ends <= moment:
                clock.set(ends)
                await world.settle(held, step.verdict)
                ending.remove((ends, held, step))
                if step.verdict is not Verdict.REFUND:
                    sent.append((ends, step.sends))

    now = BEGIN
    for step in plan:
        now += timedelta(seconds=step.after_s)
        await settle_until(now)
        clock.set(now)
        found = await world.reserve(step.sends)
        if isinstance(found, Granted):
            ending.append((now + timedelta(seconds=step.takes_s), found.reservation, step))
        else:
            refused += 1
            opens = found.wall.opens_at
            assert opens is not None
            assert opens > now
    await settle_until(now + DAY)
    return sent, refused


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(steps, min_size=5, max_size=40))
@example([Step(899, CAP, 0, Verdict.SENT), Step(86_400, CAP, 0, Verdict.SENT)] * 3)
@example([Step(0, CAP, 899, Verdict.SENT), Step(86_400 + 899, CAP, 0, Verdict.SENT)])
def test_no_24_hours_ever_hold_more_than_the_cap(stores, plan):
    runner, clock, real = stores
    sent, refused = runner.run(_sent_instants(real, clock, plan))
    for moment, _ in sent:
        last_day = [count for at, count in sent if moment - DAY < at <= moment]
        assert sum(last_day) <= CAP
    modelled = asyncio.run(_sent_instants(MemoryStore(clock), clock, plan))
    assert modelled == (sent, refused)


async def _refused_after(store, clock, waits: timedelta) -> bool:
    world = World(store, clock, fresh_route(policy((0, CAP), rolling=True)))
    clock.set(BEGIN)
    await world.send(CAP)
    clock.move(seconds=waits.total_seconds())
    return not isinstance(await world.reserve(CAP), Granted)


def test_and_the_room_is_there_again_half_an_hour_after_at_most(stores):
    runner, clock, real = stores
    assert runner.run(_refused_after(real, clock, DAY))
    assert not runner.run(_refused_after(real, clock, DAY + timedelta(minutes=30)))
