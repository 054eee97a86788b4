"""The answer to a message goes out beside its settlement, once, and what it shows is told after it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

from tests.unit.edge.house import open_house

pytestmark = pytest.mark.parametrize("splits", [False, True], ids=["whole", "split"])


@asynccontextmanager
async def settling_house(*, splits):
    """The store does not answer `settle` until `settled` is set."""
    async with open_house() as house:
        house.relay.splits = splits
        house.relay.settled.clear()
        try:
            yield house
        finally:
            house.relay.settled.set()


def receipts(splits):
    return ["m1", "m1b"] if splits else ["m1"]


async def test_the_client_does_not_wait_for_the_settlement(splits):
    async with settling_house(splits=splits) as house:
        client = await house.greeted()
        assert (await client.send()).last.startswith("250 2.0.0 Ok: queued as X")
        assert not house.relay.settled.is_set()


async def test_the_next_command_waits_for_it_and_then_shows_that_the_answer_was_heard(splits):
    async with settling_house(splits=splits) as house:
        client = await house.greeted()
        await client.send()
        await client.write(b"NOOP\r\n")
        with pytest.raises(TimeoutError):
            await client.read(timeout_s=0.1)
        assert "heard m1" not in house.relay.log
        house.relay.settled.set()
        assert (await client.read()).code == 250
        async with asyncio.timeout(5):
            assert (await client.do("QUIT")).code == 221
            await house.empty()
        assert [f"heard {name}" for name in receipts(splits)] == [
            said for said in house.relay.log if said.startswith("heard")
        ]


async def test_a_client_that_vanishes_behind_its_answer_is_noted_as_unheard(splits):
    async with settling_house(splits=splits) as house:
        client = await house.greeted()
        await client.send()
        client.reset()
        await asyncio.sleep(0.05)
        house.relay.settled.set()
        await house.empty()
        assert [f"unheard {name}" for name in receipts(splits)] == [
            said for said in house.relay.log if "heard" in said
        ]


async def test_a_client_that_closes_having_read_its_answer_has_heard_it(splits):
    async with settling_house(splits=splits) as house:
        client = await house.greeted()
        await client.send()
        client.half_close()
        await asyncio.sleep(0.05)
        house.relay.settled.set()
        assert await client.is_closed()
        client.close()
        await house.empty()
        assert [f"heard {name}" for name in receipts(splits)] == [
            said for said in house.relay.log if "heard" in said
        ]
        assert "left" not in house.relay.log


async def test_a_client_that_is_gone_before_is_not_answered_early(splits):
    async with settling_house(splits=splits) as house:
        house.relay.gate.clear()
        client = await house.greeted()
        await client.envelope()
        await client.hand_in()
        await house.relay.under_way.wait()
        client.reset()
        await asyncio.sleep(0.05)
        house.relay.gate.set()
        house.relay.settled.set()
        await house.empty()
        log = [said for said in house.relay.log if said == "left" or "heard" in said]
        assert log == ["left", *(f"unheard {name}" for name in receipts(splits))]


async def test_it_is_answered_once_when_all_is_settled_at_once(splits):
    async with open_house() as house:
        house.relay.splits = splits
        client = await house.greeted()
        for tells in (True, False, True):
            house.relay.tells_early = tells
            assert (await client.send()).code == 250
        assert (await client.do("NOOP")).last == "250 2.0.0 Ok"
        assert (await client.do("QUIT")).code == 221


async def test_an_answer_that_was_said_stands_whatever_fails_behind_it(splits, caplog):
    async with settling_house(splits=splits) as house:
        client = await house.greeted()
        house.relay.settle_error = ZeroDivisionError()
        assert (await client.send()).code == 250
        house.relay.settled.set()
        assert (await client.do("NOOP")).last == "250 2.0.0 Ok"
        assert "what followed an answer failed" in caplog.text


async def test_what_fails_before_the_answer_was_said_is_the_answer(splits):
    async with open_house() as house:
        house.relay.splits = splits
        house.relay.settle_error = ZeroDivisionError()
        client = await house.greeted()
        assert (await client.send()).code == 451
        house.relay.settle_error = None
        assert (await client.do("NOOP")).last == "250 2.0.0 Ok"


async def test_a_message_pipelined_behind_another_is_taken_after_it(splits):
    async with settling_house(splits=splits) as house:
        client = await house.greeted()
        await client.send()
        await client.write(b"MAIL FROM:<news@acme.example>\r\nRCPT TO:<a@x.example>\r\nDATA\r\n")
        await asyncio.sleep(0.05)
        assert house.relay.log.count("taken m1") == 1
        house.relay.settled.set()
        assert [(await client.read()).code for _ in range(3)] == [250, 250, 354]
        await client.write(b"Subject: y\r\n\r\nmore\r\n.\r\n")
        assert (await client.read()).code == 250
        assert "taken m2" in house.relay.log
