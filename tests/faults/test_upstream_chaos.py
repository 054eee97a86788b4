"""Everything at once: the outcome and the upstream's own ledger must always agree.

Taken: the message is in the ledger, once. SaidNo, Unreachable: it is not. Unknown and
cancelled: at most once. Never twice, whatever happened.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import pytest

from relay.ports.upstream import Outcome, SaidNo, Taken, Unknown, Unreachable
from tests.harness.smtp_ledger import Ledger
from tests.harness.smtp_script import (
    Act,
    Then,
    close,
    doubled,
    garbage,
    half_close,
    late,
    refuse,
    reset,
    split,
    stall,
)
from tests.harness.smtp_sink import Offers, Sink
from tests.unit.upstream.given import outgoing, upstream
from tests.unit.upstream.loops import on_both_loops

VERBS = ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "BODY", "DOT", "RSET"]
DEADLINES = ["connect_timeout_s", "command_timeout_s", "data_timeout_s", "final_timeout_s"]
MESSAGES = 200
LINES = [0, 1, 1, 1, 1, 100, 10_000, 60_000]


def some_act(dice: random.Random, verb: str) -> Act:
    acts = [
        reset(),
        close(),
        stall(),
        half_close(),
        garbage(),
        split(),
        late(dice.random() * 0.05),
        refuse("421 4.3.2 bye", close=True),
        refuse("450 4.2.0 later"),
        refuse("552 5.3.4 too big", close=dice.random() < 0.5),
        doubled("250 2.0.0 twice"),
    ]
    if verb not in {"BODY", "DOT"}:  # there it would be a lie, which nobody could see through
        acts.append(Act(b"250 2.0.0 early\r\n", Then.CLOSE))
    return dice.choice(acts).once()


async def one(up, sink: Sink, dice: random.Random, number: int) -> Outcome | None:
    if dice.random() < 0.4:
        verb = dice.choice(VERBS)
        sink.script.add(verb, some_act(dice, verb))
    body = b"\r\n" + b".text\r\n" * dice.choice(LINES)
    names = [f"m{number}.{n}@x.example" for n in range(dice.choice([1, 1, 1, 2, 30]))]
    delivery = asyncio.create_task(up.deliver(outgoing(*names, body=body)))
    if dice.random() < 0.1:
        await asyncio.sleep(dice.random() * 0.004)
        delivery.cancel()
    try:
        return await delivery
    except asyncio.CancelledError:
        return None


async def outcomes_of(up, sinks: list[Sink], dice: random.Random) -> dict[int, Outcome | None]:
    outcomes: dict[int, Outcome | None] = {}
    turns = asyncio.Semaphore(6)

    async def turn(number: int) -> None:
        async with turns:
            outcomes[number] = await one(up, dice.choice(sinks), dice, number)

    async with asyncio.timeout(60):
        await asyncio.gather(*(turn(number) for number in range(MESSAGES)))
    return outcomes


@on_both_loops
@pytest.mark.parametrize("offers", [Offers(), Offers(pipelining=False)], ids=["piped", "stepped"])
@pytest.mark.parametrize("seed", [1])
async def test_the_outcome_never_contradicts_the_ledger(offers: Offers, seed: int):
    ledger = Ledger()
    limits = {"connections": 6, "messages_per_connection": 9, **dict.fromkeys(DEADLINES, 0.25)}
    async with (
        Sink(offers, ledger=ledger) as first,
        Sink(offers, ledger=ledger) as second,
        upstream(first.port, second.port, **limits) as up,
    ):
        outcomes = await outcomes_of(up, [first, second], random.Random(seed))
        first.script.clear()
        second.script.clear()
        assert isinstance(await up.deliver(outgoing()), Taken), "and it works afterwards"

    taken = Counter(m.rcpts[0].split(".")[0] for m in ledger.messages if m.rcpts[0][0] == "m")
    for number, outcome in outcomes.items():
        times = taken[f"m{number}"]
        assert times <= 1, outcome
        match outcome:
            case Taken():
                assert times == 1
            case SaidNo() | Unreachable():
                assert times == 0, outcome
    kinds = Counter(type(outcome) for outcome in outcomes.values())
    assert min(kinds[kind] for kind in (Taken, SaidNo, Unknown, type(None))) > 0, kinds
