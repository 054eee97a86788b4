"""kill -9 at random instants, again and again, with numbered messages at both ends.

Nothing that was answered 250 is missing upstream, no cap is passed, and a second copy goes
out only where the relay died between the upstream's acceptance and its own note of it
(RFC 1047). The seed is in every failure; KILLS_SEED repeats it.
"""

from __future__ import annotations

import asyncio
import os
import random

import pytest

from tests.conftest import MakeRelay
from tests.harness.audit import Day, Figures, check_letters, check_quiet
from tests.harness.fleet import Fleet
from tests.harness.letters import Book
from tests.harness.relay_config import DOMAIN, calendar
from tests.harness.relay_process import RelayProcess
from tests.harness.smtp_sink import Sink
from tests.harness.swarm import Swarm
from tests.harness.witness import Cutting

CLIENTS = 8
CAP_OF_TEN, CAP_OF_MANY = 300, 1200
DAYS = 100
KILLS_A_DAY = 25
LONGEST_LIFE_S = 1.0
EARLY = 0.1
STEP_S = 60.0
PROVIDER = "gmail.com"


class Run:
    """One relay with its embedded store, eight clients, and days that end at the cap."""

    def __init__(self, relay: RelayProcess, sink: Sink, cap: int, seed: int) -> None:
        self.seed = f"KILLS_SEED={seed}"
        self.figures = Figures()
        self.dice = random.Random(seed)
        self.book = Book(DOMAIN, f"k{seed}")
        self.fleet = Fleet([relay], self.book, self.dice, early=EARLY)
        self.swarm = Swarm(
            [relay.port], self.book, self.dice, clients=CLIENTS, providers=(PROVIDER,)
        )
        self._cap = cap
        self._sink = sink
        self._relay = relay

    async def all_days(self, kills: int) -> None:
        """Days until the relay was killed so often, or no day is left in its policy."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.swarm.run())
            while self.fleet.kills < kills and self.figures.days < DAYS:
                if self.figures.days:
                    await asyncio.to_thread(self._relay.clock.move, days=1)
                await self._day(kills)
            self.swarm.is_on = False

    async def _day(self, kills: int) -> None:
        taken, caught = len(self._sink.messages), len(self.fleet.caught)
        last = min(kills, self.fleet.kills + KILLS_A_DAY)
        self.swarm.writes_new = True
        self.swarm.next_day()
        while self.fleet.kills < last and len(self._sink.messages) - taken < 0.9 * self._cap:
            await asyncio.sleep(self.dice.uniform(0, LONGEST_LIFE_S))
            await self.fleet.kill_one()
            await self.fleet.all_up()
        assert await self.swarm.calm(STEP_S), f"{self.seed}: {self.book.open[:5]}"
        await asyncio.gather(*(self.swarm.fill(PROVIDER) for _ in range(CLIENTS)))
        day = Day(
            cap=self._cap,
            limits={},
            taken=self._sink.messages[taken:],
            dropped=(),
            caught=self.fleet.caught[caught:],
            status=await asyncio.to_thread(self._relay.status),
        )
        check_quiet(day, self.book, self._sink.messages, self.seed)
        self.figures.add(day)
        print(self.told(), flush=True)

    def told(self) -> str:
        """The figures of the run."""
        copies = check_letters(self.book, self._sink.messages, self.seed)
        letters = self.book.letters.values()
        return (
            f"{self.seed}: {self.figures}, kills {self.fleet.kills}, "
            f"attempts caught {len(self.fleet.caught)}, second copies {copies}, "
            f"retries answered {self.book.retried}, letters {len(letters)}, "
            f"heard {len(self.book.heard)}, replies {dict(self.book.replies)}"
        )


async def killed(kills: int, cap: int, make_relay: MakeRelay) -> Run:
    seed = int(os.environ.get("KILLS_SEED") or random.randrange(10**6))
    sink = Sink()
    sink.script = Cutting(random.Random(seed), rate=0.0, slowest_s=0.02)
    async with sink:
        upstream = f"smtp://127.0.0.1:{sink.port}"
        relay = make_relay(upstream=upstream, policies={"ramp": calendar(cap)})
        await asyncio.to_thread(relay.start)
        run = Run(relay, sink, cap, seed)
        await run.all_days(kills)
    assert run.fleet.kills >= kills, run.told()
    assert run.fleet.caught, f"no kill met a message: {run.told()}"
    return run


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_ten_kills_lose_nothing_that_was_answered_250_and_explain_every_copy(
    make_relay: MakeRelay,
) -> None:
    await killed(10, CAP_OF_TEN, make_relay)


@pytest.mark.slow
@pytest.mark.timeout(7200)
async def test_five_hundred_kills_lose_nothing_that_was_answered_250_and_explain_every_copy(
    make_relay: MakeRelay,
) -> None:
    run = await killed(500, CAP_OF_MANY, make_relay)
    assert run.book.retried, f"no retry came inside the window: {run.told()}"
