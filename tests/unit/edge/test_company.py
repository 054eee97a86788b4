"""Which messages are expected: those whose envelope is open and whose content is not here yet."""

from __future__ import annotations

import asyncio

import pytest

from relay.concurrency import company as company_module
from relay.core.config import Limits
from relay.core.errors import StoreTrouble
from tests.unit.edge.house import open_house

MAIL, RCPT = "MAIL FROM:<a@acme.example>", "RCPT TO:<b@b.example>"


@pytest.fixture(autouse=True)
def for_ever(monkeypatch):
    """It is not time that ends an expectation."""
    monkeypatch.setattr(company_module, "FRESH_S", 1000.0)


async def test_a_message_is_expected_from_its_envelope_to_the_end_of_its_content():
    async with open_house() as house:
        company, client = house.around.company, await house.greeted()
        assert company.coming() == 0
        for command in (MAIL, RCPT, "DATA"):
            await client.do(command)
            assert company.coming() == 1
        house.relay.gate.clear()
        client.writer.write(b"Subject: x\r\n\r\nbody\r\n.\r\n")
        await house.relay.under_way.wait()
        assert company.coming() == 0
        house.relay.gate.set()
        assert (await client.read()).code == 250
        assert company.coming() == 0


@pytest.mark.parametrize("end", ["RSET", "EHLO again.example", "QUIT"])
async def test_an_envelope_that_is_dropped_is_not_expected(end):
    async with open_house() as house:
        client = await house.greeted()
        await client.do(MAIL)
        await client.do(RCPT)
        await client.do(end)
        assert house.around.company.coming() == 0


@pytest.mark.parametrize("said", [(MAIL,), (MAIL, RCPT), (MAIL, RCPT, "DATA")])
async def test_nothing_is_expected_of_a_client_that_is_gone(said):
    async with open_house() as house:
        client = await house.greeted()
        for command in said:
            await client.do(command)
        client.writer.transport.abort()
        await house.empty()
        assert house.around.company.coming() == 0


async def test_nothing_is_expected_of_one_that_was_cut_off():
    async with open_house(limits=Limits(command_timeout_s=0.1)) as house:
        client = await house.greeted()
        await client.do(MAIL)
        await house.empty()
        assert house.around.company.coming() == 0


async def test_a_refused_sender_is_not_expected_and_a_failed_message_not_any_more():
    async with open_house() as house:
        client = await house.greeted()
        await client.do("MAIL FROM:<a@elsewhere.example>")
        assert house.around.company.coming() == 0
        house.relay.error = StoreTrouble()
        await client.do(MAIL)
        await client.do(RCPT)
        await client.do("DATA")
        assert (await client.do("Subject: x\r\n\r\n.")).code == 451
        assert house.around.company.coming() == 0


async def test_one_that_was_refused_its_recipients_is_not_expected():
    async with open_house() as house:
        client = await house.greeted()
        await client.do(MAIL)
        house.relay.quota_error = StoreTrouble()
        assert (await client.do(RCPT)).code == 451
        assert house.around.company.coming() == 0


async def test_everybodys_are_counted():
    async with open_house() as house:
        clients = [await house.greeted() for _ in range(5)]
        await asyncio.gather(*(client.do(MAIL) for client in clients))
        assert house.around.company.coming() == 5
        await asyncio.gather(*(client.do("RSET") for client in clients[:3]))
        assert house.around.company.coming() == 2


async def test_one_whose_recipients_are_reserved_one_by_one_does_not_wait_for_itself():
    async with open_house() as house:
        house.relay.splits = True
        client = await house.greeted()
        await client.do(MAIL)
        assert house.around.company.coming() == 1
        await client.do(RCPT)
        assert house.around.company.coming() == 0
        await client.do(RCPT)
        await client.do("RSET")
        assert house.around.company.coming() == 0
