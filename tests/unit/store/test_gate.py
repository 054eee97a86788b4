"""The gate: one proof for everybody, no storm, open again soon."""

from __future__ import annotations

import asyncio

import pytest

from relay.store.connections.gate import PAUSE_S, Gate, Shut


class Proof:
    """What the gate asks: fails while `broken`, and counts."""

    def __init__(self, *, takes_s: float = 0.0) -> None:
        self.asked = 0
        self.broken = False
        self.takes_s = takes_s

    async def __call__(self) -> None:
        self.asked += 1
        await asyncio.sleep(self.takes_s)
        if self.broken:
            raise ConnectionError("away")


async def test_an_open_gate_asks_nothing():
    proof = Proof()
    gate = Gate(proof)
    for _ in range(3):
        await gate.passed()
    assert proof.asked == 1


async def test_callers_at_once_share_one_proof():
    proof = Proof(takes_s=0.01)
    gate = Gate(proof)
    await asyncio.gather(*(gate.passed() for _ in range(50)))
    assert proof.asked == 1


async def test_callers_at_once_share_one_failure():
    proof = Proof(takes_s=0.01)
    proof.broken = True
    gate = Gate(proof)
    found = await asyncio.gather(*(gate.passed() for _ in range(50)), return_exceptions=True)
    assert sorted({type(f).__name__ for f in found}) == ["ConnectionError", "Shut"]
    assert proof.asked == 1


async def test_after_a_failure_nobody_asks_for_a_moment_and_then_it_opens():
    proof = Proof()
    proof.broken = True
    gate = Gate(proof)
    with pytest.raises(ConnectionError):
        await gate.passed()
    proof.broken = False
    with pytest.raises(Shut, match="a moment ago: ConnectionError: away"):
        await gate.passed()
    assert gate.open_for_s() == 0
    await asyncio.sleep(PAUSE_S)
    await gate.passed()
    assert (proof.asked, gate.open_for_s() > 0) == (2, True)


async def test_a_gate_that_somebody_shut_is_proven_at_once():
    proof = Proof()
    gate = Gate(proof)
    await gate.passed()
    gate.shut()
    assert gate.open_for_s() == 0
    await gate.passed()
    assert proof.asked == 2


async def test_a_caller_that_gives_up_while_proving_does_not_block_the_others():
    proof = Proof(takes_s=60)
    gate = Gate(proof)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await gate.passed()
    proof.takes_s = 0
    with pytest.raises(Shut, match="no answer in time"):
        await gate.passed()
    await asyncio.sleep(PAUSE_S)
    async with asyncio.timeout(1):
        await gate.passed()
