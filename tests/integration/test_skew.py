"""Relays whose clocks differ, and clocks that jump: no window is ever over its cap.

Three relays on one store, at -90, 0 and +90 seconds, under load over a midnight. A send counts
for the window that it was charged on, as heard on the store's wire (`harness/charged.py`).
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MakeRelay, MakeStore
from tests.harness.audit import check_letters
from tests.harness.charged import Charged, charged
from tests.harness.clock import MovableClock
from tests.harness.letters import Book
from tests.harness.relay_config import DOMAIN, calendar, lifetime
from tests.harness.relay_process import RelayProcess
from tests.harness.smtp_sink import Sink
from tests.harness.swarm import Swarm
from tests.harness.witness import Cutting

SKEWS_S = (-90, 0, 90)
CLIENTS = 24
STEP_SENDS = 45  # so that the first day's cap runs out while the relays disagree on the day
MOST_STEP_S = 1.5
PROVIDER = "gmail.com"
SEED = 20261122
DAY = timedelta(days=1)


@dataclass
class Scene:
    """Three relays at work. `true` is what a right clock would show, by real time."""

    relays: list[RelayProcess]
    clocks: list[MovableClock]
    sink: Sink
    swarm: Swarm
    charged: Charged
    true: list[tuple[float, timedelta]]

    async def move(self, clocks: Sequence[MovableClock] | None = None, **delta: float) -> None:
        """Step the clocks together (or only some of them)."""
        moved = [asyncio.to_thread(c.move, **delta) for c in clocks or self.clocks]
        await asyncio.gather(*moved)
        self.true.append((time.time(), self.clocks[1].offset))

    async def taken(self, count: int) -> None:
        """Wait until `count` more messages have come, or none can any more."""
        since = len(self.sink.messages)
        deadline = time.monotonic() + MOST_STEP_S
        while len(self.sink.messages) < since + count:
            if time.monotonic() > deadline:
                return
            await asyncio.sleep(0.01)

    async def over_midnight(self) -> None:
        """From 23:57:30 to 00:02:30 of a right clock, in steps of 30 s, under load."""
        self.swarm.writes_new = True
        for _ in range(10):
            await self.move(seconds=30)
            await self.taken(STEP_SENDS)

    async def fill(self) -> None:
        """Use up what is left today, over all relays."""
        assert await self.swarm.calm(30), self.swarm.book.open[:5]
        await asyncio.gather(*(self.swarm.fill(PROVIDER) for _ in range(CLIENTS)))

    async def by_day(self) -> Counter[date]:
        """The upstream's ledger by the day that each send was charged on."""
        check_letters(self.swarm.book, self.sink.messages, f"seed {SEED}")
        by_label = await self.charged.by_label(self.sink.messages)
        return Counter({date.fromisoformat(la[:10]): n for la, n in by_label.items()})

    def true_times(self) -> list[datetime]:
        """When each message came, by a right clock."""
        return sorted(self._true_time(message.time) for message in self.sink.messages)

    def _true_time(self, real: float) -> datetime:
        offset = [offset for since, offset in self.true if since <= real][-1]
        return datetime.fromtimestamp(real) + offset


@asynccontextmanager
async def scene(
    make_relay: MakeRelay, make_store: MakeStore, home: Path, policy: dict[str, Any]
) -> AsyncIterator[Scene]:
    """At 23:57:30 of a right clock."""
    store, book, dice = make_store(), Book(DOMAIN, "skew"), random.Random(SEED)
    clocks = [MovableClock(home / f"clock{skew}") for skew in SKEWS_S]
    sink = Sink()
    sink.script = Cutting(dice)
    async with sink, charged(store) as heard:
        config = {
            "upstream": f"smtp://127.0.0.1:{sink.port}",
            "store": store.url,
            "policies": {"ramp": policy},
        }
        relays = [
            make_relay(f"relay{s}", c, **config) for s, c in zip(SKEWS_S, clocks, strict=True)
        ]
        found = Scene(
            relays,
            clocks,
            sink,
            Swarm(
                [relay.port for relay in relays],
                book,
                dice,
                clients=CLIENTS,
                providers=(PROVIDER,),
                pause_s=0.15,
            ),
            heard,
            [(0.0, clocks[1].offset)],
        )
        for clock, skew in zip(clocks, SKEWS_S, strict=True):
            await asyncio.to_thread(clock.move, hours=11, minutes=57, seconds=30 + skew)
        found.true.append((time.time(), clocks[1].offset))
        await asyncio.gather(*(asyncio.to_thread(relay.start) for relay in relays))
        found.swarm.writes_new = False
        async with asyncio.TaskGroup() as group:
            group.create_task(found.swarm.run())
            yield found
            found.swarm.is_on = False


async def test_at_midnight_neither_day_is_over_its_cap_whatever_each_relay_takes_for_now(
    make_relay: MakeRelay, make_store: MakeStore, tmp_path: Path
) -> None:
    async with scene(make_relay, make_store, tmp_path, calendar(200, 300)) as over:
        await over.over_midnight()
        await over.fill()
        days = await over.by_day()
    assert sorted(days.values()) == [200, 300], days
    assert len(over.sink.messages) == 200 + 300


@pytest.mark.slow
async def test_a_tier_of_lifetime_sends_is_fixed_for_all_relays_when_the_first_opens_the_day(
    make_relay: MakeRelay, make_store: MakeStore, tmp_path: Path
) -> None:
    # The second day passes 250 at its 50th send: its cap stays, and the third day's is higher.
    async with scene(make_relay, make_store, tmp_path, lifetime((0, 200), (250, 400))) as over:
        await over.over_midnight()
        await over.fill()
        await over.move(hours=23, minutes=55)
        await over.over_midnight()
        await over.fill()
        days = await over.by_day()
    assert [days[day] for day in sorted(days)] == [200, 200, 400], days


@pytest.mark.slow
async def test_no_24_hours_of_a_rolling_window_are_over_the_cap_by_a_right_clock(
    make_relay: MakeRelay, make_store: MakeStore, tmp_path: Path
) -> None:
    cap = 300
    policy = calendar(cap, window={"kind": "rolling-24h"})
    async with scene(make_relay, make_store, tmp_path, policy) as over:
        await over.over_midnight()
        await over.fill()
        assert len(over.sink.messages) == cap
        await over.swarm.calm()
        await over.move(hours=23, minutes=40)
        for _ in range(14):
            over.swarm.writes_new = True
            await asyncio.sleep(0.5)
            assert await over.swarm.calm(10)  # so that every send has one true time
            await over.move(minutes=5)
        await over.fill()
        times = over.true_times()
        check_letters(over.swarm.book, over.sink.messages, f"seed {SEED}")
    assert len(times) == 2 * cap, "what had left the window could be sent again"
    most = max(sum(end - DAY < each <= end for each in times) for end in times)
    assert most == cap


@pytest.mark.parametrize(
    "jumping", [1, pytest.param(3, marks=pytest.mark.slow)], ids=["one relay", "all relays"]
)
async def test_a_clock_that_jumps_back_an_hour_and_on_over_two_midnights_passes_no_days_cap(
    make_relay: MakeRelay, make_store: MakeStore, tmp_path: Path, jumping: int
) -> None:
    cap = 150
    async with scene(make_relay, make_store, tmp_path, calendar(cap)) as over:
        clocks = over.clocks[:jumping]
        over.swarm.writes_new = True
        await over.taken(60)
        await over.move(minutes=20)
        await over.taken(60)
        await over.move(clocks, hours=-1)
        await over.taken(60)
        await over.move(clocks, hours=48)
        await over.taken(60)
        await over.move(clocks, hours=-47)
        await over.fill()
        days = await over.by_day()
    first, second, third = sorted(days)
    assert (second - first, third - first) == (DAY, 2 * DAY), days
    assert days[first] <= cap, days
    assert days[second] == cap, days
    assert 0 < days[third] <= cap, days


async def test_a_relay_two_days_ahead_for_a_moment_makes_nobody_forget_a_rolling_window(
    make_relay: MakeRelay, make_store: MakeStore, tmp_path: Path
) -> None:
    cap = 60
    policy = calendar(cap, window={"kind": "rolling-24h"})
    async with scene(make_relay, make_store, tmp_path, policy) as over:
        await over.fill()
        await over.move(hours=4)
        await over.move(over.clocks[:1], hours=47)
        over.swarm.writes_new = True
        await over.taken(1)
        assert await over.swarm.calm(30)
        await over.move(over.clocks[:1], hours=-47)
        ahead = len(over.sink.messages) - cap
        for _ in range(2):
            await over.fill()
            await over.move(minutes=16)
        check_letters(over.swarm.book, over.sink.messages, f"seed {SEED}")
    assert ahead, "the relay that was ahead sent something"
    assert len(over.sink.messages) == cap + ahead
