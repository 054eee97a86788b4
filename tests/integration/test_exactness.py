"""Rules 1 to 3 with the real command: four relays, three providers, and kills at all ends.

Clients, relays and upstream connections die at random instants; then both ends and the store
must agree, by provider. The seed is in every failure; EXACTNESS_SEED repeats it.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import MakeRelay, MakeStore
from tests.harness.audit import Day, Figures, check_letters, check_quiet
from tests.harness.clock import MovableClock
from tests.harness.fleet import Fleet
from tests.harness.letters import PROVIDERS, Book
from tests.harness.relay_config import DOMAIN, calendar
from tests.harness.relay_process import RelayProcess
from tests.harness.smtp_sink import Sink
from tests.harness.swarm import Swarm
from tests.harness.witness import Cutting, sends

SHARES = {"google": 50, "microsoft": 20, "yahoo": 30}
WALLS = {
    "google": {"share": "50%"},
    "microsoft": {"share": "20%"},
    "default": {"share": "30%"},
}
STEP_S = 90.0
DECIDED_S = 9.0
WIDTHS = (1, 1, 1, 2, 3)
CUTS = {True: 0.01, False: 0.03}  # with kills, and without
TEARS = 0.01
STORE_S = "10s"
"""For its answer. Where it comes too late and the relay is killed before it has settled, an
acceptance that was heard of is never noted: on a busy machine 2 s were too few."""


@dataclass(frozen=True, slots=True)
class Trial:
    """How much of everything. `kills` are those of each round: of relays, that is.

    Where a relay is killed something stays charged and unsent, which would hide a small
    error: so there are rounds without.
    """

    relays: int
    clients: int
    kills: tuple[int, ...]
    least_cap: int
    most_cap: int

    def caps(self, dice: random.Random) -> list[int]:
        """A cap for each round, of which every share is a whole number."""
        return [dice.randrange(self.least_cap, self.most_cap, 10) for _ in self.kills]


SHORT = Trial(relays=4, clients=60, kills=(3, 0), least_cap=250, most_cap=350)
LONG = Trial(relays=4, clients=200, kills=(6, 6, 6, 6, 0) * 5, least_cap=900, most_cap=1500)


class Run:
    """One run of a trial: the witness, the fleet and the swarm around one book."""

    def __init__(self, trial: Trial, seed: int) -> None:
        self.trial = trial
        self.seed = f"EXACTNESS_SEED={seed}"
        self.dice = random.Random(seed)
        self.caps = trial.caps(self.dice)
        self.figures = Figures()
        self.book = Book(DOMAIN, f"s{seed}")
        self.cutting = Cutting(self.dice)
        self.sink = Sink()
        self.sink.script = self.cutting
        self.fleet: Fleet
        self.swarm: Swarm

    async def begin(self, relays: list[RelayProcess]) -> None:
        """Start `relays` and make the clients, who do nothing yet."""
        await asyncio.gather(*(asyncio.to_thread(relay.start) for relay in relays))
        self.fleet = Fleet(relays, self.book, self.dice)
        ports = [relay.port for relay in relays]
        clients = self.trial.clients
        self.swarm = Swarm(ports, self.book, self.dice, clients=clients, widths=WIDTHS)

    async def round(self, cap: int, kills: int) -> None:
        """One day: kills while the quota lasts, then quiet, then every wall is sought."""
        ledger = self.sink.ledger
        marks = len(ledger.messages), len(ledger.dropped), len(self.fleet.caught)
        self.swarm.writes_new, self.swarm.tear, self.cutting.rate = True, TEARS, CUTS[kills > 0]
        self.swarm.next_day()
        for share in sorted(self.dice.uniform(0.02, 0.85) for _ in range(kills)):
            await self._sent(marks[0], int(share * cap))
            await asyncio.sleep(self.dice.uniform(0, 0.03))
            await self.fleet.kill_one()
        await self._sent(marks[0], int(0.9 * cap))
        self.cutting.rate = 0
        await self.fleet.all_up()
        await self._calm()
        await asyncio.gather(*map(self.swarm.fill, PROVIDERS))
        await self._check(cap, *marks)

    async def _calm(self) -> None:
        """A client that had left before its relay was killed is answered 451 for 15 minutes."""
        if not await self.swarm.calm(DECIDED_S):
            await asyncio.to_thread(self.fleet.relays[0].clock.move, minutes=16)
            assert await self.swarm.calm(STEP_S), f"{self.seed}: {self.book.open[:5]}"

    async def _sent(self, since: int, count: int) -> None:
        """Wait until so many sends have come, or nothing more comes."""
        last, quiet_since = -1, time.monotonic()
        async with asyncio.timeout(STEP_S):
            while (sent := sends(self.sink.messages[since:]).total()) < count:
                if sent != last:
                    last, quiet_since = sent, time.monotonic()
                if time.monotonic() - quiet_since > 3:
                    return  # what was cut off has cost that much
                await asyncio.sleep(0.005)

    async def _check(self, cap: int, taken: int, dropped: int, caught: int) -> None:
        relay = self.dice.choice(self.fleet.relays)
        day = Day(
            cap=cap,
            limits={name: cap * share // 100 for name, share in SHARES.items()},
            taken=self.sink.messages[taken:],
            dropped=self.sink.ledger.dropped[dropped:],
            caught=self.fleet.caught[caught:],
            status=await asyncio.to_thread(relay.status),
        )
        check_quiet(day, self.book, self.sink.messages, self.seed)
        self.figures.add(day)
        print(self.told(), flush=True)

    def told(self) -> str:
        """The figures of the run."""
        copies = check_letters(self.book, self.sink.messages, self.seed)
        return (
            f"{self.seed}: {self.figures}, kills {self.fleet.kills}, torn {self.book.torn}, "
            f"cuts {dict(self.cutting.cuts)}, second copies {copies}, "
            f"retries answered {self.book.retried}, letters {len(self.book.letters)}, "
            f"replies {dict(self.book.replies)}"
        )


@pytest.fixture
def seed() -> int:
    return int(os.environ.get("EXACTNESS_SEED") or random.randrange(10**6))


async def all_rounds(
    trial: Trial, seed: int, make_relay: MakeRelay, make_store: MakeStore, home: Path
) -> Run:
    run = Run(trial, seed)
    clock = MovableClock(home / "clock")
    async with run.sink:
        config = {
            "upstream": f"smtp://127.0.0.1:{run.sink.port}",
            "policies": {"ramp": calendar(*run.caps, providers=WALLS)},
            "more": {"store": {"url": make_store().url, "timeout": STORE_S}},
        }
        relays = [make_relay(f"relay{n}", clock, **config) for n in range(trial.relays)]
        await run.begin(relays)
        async with asyncio.TaskGroup() as group:
            group.create_task(run.swarm.run())
            for cap, kills in zip(run.caps, trial.kills, strict=True):
                if run.figures.days:
                    await asyncio.to_thread(clock.move, days=1)
                await run.round(cap, kills)
            run.swarm.is_on = False
    return run


@pytest.mark.timeout(300)
async def test_a_round_with_kills_and_one_without_pass_no_cap_and_lose_only_what_was_in_flight(
    make_relay: MakeRelay, make_store: MakeStore, tmp_path: Path, seed: int
) -> None:
    run = await all_rounds(SHORT, seed, make_relay, make_store, tmp_path)
    assert run.fleet.kills == sum(SHORT.kills), run.told()
    assert run.book.torn, run.told()
    assert run.cutting.cuts, run.told()


@pytest.mark.slow
@pytest.mark.timeout(2400)
async def test_25_rounds_of_kills_at_all_ends_pass_no_cap_and_lose_only_what_was_in_flight(
    make_relay: MakeRelay, make_store: MakeStore, tmp_path: Path, seed: int
) -> None:
    run = await all_rounds(LONG, seed, make_relay, make_store, tmp_path)
    assert run.fleet.kills == sum(LONG.kills), run.told()
    assert run.cutting.cuts["DOT"], run.told()
    assert run.book.torn, run.told()
