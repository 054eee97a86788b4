"""The client's side of rule 3: verb by verb, how a client can leave, and what is noted."""

from __future__ import annotations

import asyncio
import socket

import pytest

from relay.core.config import Limits
from relay.core.errors import StoreTrouble
from relay.edge.replies import with_ref
from tests.unit.edge.client import Client
from tests.unit.edge.house import House, open_house, until

STEPS = ["", "EHLO x", "MAIL FROM:<a@acme.example>", "RCPT TO:<b@example.org>", "DATA"]
LEAVING = ["close", "reset"]


def leave(client: Client, how: str) -> None:
    client.close() if how == "close" else client.reset()


async def under_way(house: House) -> Client:
    """A client whose message is with the upstream."""
    house.relay.gate.clear()
    client = await house.greeted()
    await client.envelope()
    await client.hand_in()
    await house.relay.under_way.wait()
    return client


@pytest.mark.parametrize("how", LEAVING)
@pytest.mark.parametrize("steps", range(len(STEPS) + 1))
async def test_before_the_end_of_data_nothing_is_handed_over(how, steps):
    async with open_house() as house:
        client = await house.connect()
        await client.read()
        for command in STEPS[1 : steps + 1]:
            await client.do(command)
        if steps == len(STEPS):
            await client.write(b"Subject: x\r\n\r\nhalf of it\r\n.\r")
        leave(client, how)
        await house.empty()
        assert house.relay.log == []
        assert len(house.observer.closed) == 1
        assert (await (await house.greeted()).send()).code == 250


@pytest.mark.parametrize("how", LEAVING)
async def test_while_the_upstream_is_asked_it_is_noted_at_once_and_the_end_awaited(how):
    async with open_house() as house:
        client = await under_way(house)
        session = house.relay.submissions[0].session
        assert house.around.roster.session_is_alive(session)
        leave(client, how)
        await until(lambda: house.relay.log == ["relay m1", "left"])
        assert not house.around.roster.session_is_alive(session)
        house.relay.gate.set()
        await house.empty()
        assert house.relay.log == ["relay m1", "left", "taken m1", "unheard m1"]


@pytest.mark.parametrize("how", LEAVING)
async def test_a_message_that_is_then_refused_owes_nobody_anything(how):
    async with open_house() as house:
        house.relay.error = StoreTrouble()
        client = await under_way(house)
        leave(client, how)
        await asyncio.sleep(0.05)
        house.relay.gate.set()
        await house.empty()
        assert house.relay.log == ["relay m1", "left"]


async def test_a_reset_right_after_the_acceptance_is_unheard():
    async with open_house() as house:
        client = await house.greeted()
        assert (await client.send()).code == 250
        client.reset()
        await house.empty()
        assert house.relay.log == ["relay m1", "taken m1", "unheard m1"]


async def test_a_client_that_had_closed_unnoticed_when_the_answer_was_written_is_unheard(
    monkeypatch,
):
    """Its FIN does not acknowledge the 250, and its system answers that with a reset."""
    async with open_house() as house:
        wire = await asyncio.to_thread(_handed_in, house.port)

        def closing(*given):
            wire.close()
            return with_ref(*given)

        monkeypatch.setattr("relay.edge.session.with_ref", closing)
        wire.sendall(b".\r\n")
        await house.relay.under_way.wait()
        await house.empty()
        assert house.relay.log == ["relay m1", "taken m1", "unheard m1"]


def _handed_in(port: int) -> socket.socket:
    wire = socket.create_connection(("127.0.0.1", port), 10)
    wire.recv(1000)
    for command in ("EHLO x", "MAIL FROM:<a@acme.example>", "RCPT TO:<b@example.org>", "DATA"):
        wire.sendall(command.encode() + b"\r\n")
        wire.recv(1000)
    return wire


async def test_a_clean_close_after_the_acceptance_is_heard():
    async with open_house() as house:
        client = await house.greeted()
        assert (await client.send()).code == 250
        client.close()
        await house.empty()
        assert house.relay.log == ["relay m1", "taken m1", "heard m1"]


@pytest.mark.parametrize(
    "command", ["QUIT", "NOOP", "RSET", "NONSENSE", "MAIL FROM:<a@acme.example>", "x" * 30_000]
)
async def test_the_next_command_whatever_it_is_shows_that_it_was_heard(command):
    async with open_house() as house:
        client = await house.greeted()
        assert (await client.send()).code == 250
        assert house.relay.log[-1] == "taken m1"
        await client.do(command)
        assert house.relay.log == ["relay m1", "taken m1", "heard m1"]
        client.reset()
        await house.empty()
        assert house.relay.log[-1] == "heard m1"


async def test_a_command_that_was_pipelined_behind_the_message_shows_nothing():
    async with open_house() as house:
        client = await under_way(house)
        await client.write(b"NOOP\r\nNOOP\r\n")
        await asyncio.sleep(0.05)
        house.relay.gate.set()
        for _ in range(3):
            assert (await client.read()).code == 250
        assert house.relay.log == ["relay m1", "taken m1"]
        client.reset()
        await house.empty()
        assert house.relay.log[-1] == "unheard m1"


async def test_a_pipelined_quit_is_followed_by_waiting_for_the_clients_close():
    for how, noted in (("close", "heard m1"), ("reset", "unheard m1")):
        async with open_house() as house:
            client = await under_way(house)
            await client.write(b"QUIT\r\n")
            await asyncio.sleep(0.05)
            house.relay.gate.set()
            assert (await client.read()).code == 250
            assert (await client.read()).code == 221
            leave(client, how)
            await house.empty()
            assert house.relay.log == ["relay m1", "taken m1", noted]


async def test_a_client_that_had_closed_before_the_answer_is_unheard_even_if_nothing_breaks():
    async with open_house() as house:
        client = await under_way(house)
        client.half_close()
        await asyncio.sleep(0.05)
        house.relay.gate.set()
        assert (await client.read()).code == 250
        await house.empty()
        assert house.relay.log == ["relay m1", "left", "taken m1", "unheard m1"]


async def test_silence_after_the_acceptance_until_the_timeout_is_unheard():
    async with open_house(limits=Limits(command_timeout_s=0.15)) as house:
        client = await house.greeted()
        assert (await client.send()).code == 250
        assert (await client.read()).last.startswith("421 4.4.2")
        assert house.relay.log[-1] == "unheard m1"


async def test_an_acceptance_without_a_receipt_owes_nothing():
    async with open_house() as house:
        house.relay.gives_receipts = False
        client = await house.greeted()
        assert (await client.send()).code == 250
        client.reset()
        await house.empty()
        assert house.relay.log == ["relay m1", "taken m1"]


async def test_each_message_of_a_session_is_heard_on_its_own():
    async with open_house() as house:
        client = await house.greeted()
        for _ in range(3):
            assert (await client.send()).code == 250
        client.reset()
        await house.empty()
        log = [entry for entry in house.relay.log if "eard" in entry]
        assert log == ["heard m1", "heard m2", "unheard m3"]


async def test_two_pipelined_messages_are_both_owed_until_the_client_speaks():
    one = b"MAIL FROM:<a@acme.example>\r\nRCPT TO:<b@example.org>\r\nDATA\r\nx: y\r\n\r\n.\r\n"
    async with open_house() as house:
        client = await house.greeted()
        await client.write(one * 2)
        for _ in range(8):
            await client.read()
        assert house.relay.log == ["relay m1", "taken m1", "relay m2", "taken m2"]
        await client.do("NOOP")
        assert house.relay.log[4:] == ["heard m1", "heard m2"]


async def test_many_clients_vanishing_at_random_leave_no_session_and_no_debt():
    async with open_house() as house:

        async def one(number: int) -> None:
            client = await house.greeted()
            await client.envelope()
            await client.hand_in()
            await asyncio.sleep(number % 7 / 500)
            leave(client, LEAVING[number % 2])

        await asyncio.gather(*(one(number) for number in range(60)))
        await house.empty()
        taken = [entry.split()[1] for entry in house.relay.log if entry.startswith("taken")]
        told = [entry.split()[1] for entry in house.relay.log if "eard" in entry]
        assert sorted(taken) == sorted(told)
        await asyncio.sleep(0)
        assert len(house.around.background) == 0
