from __future__ import annotations

import asyncio
import socket

import pytest

from relay.core.config import Listener, ListenerTls
from relay.edge import dialogue
from tests.unit.edge.house import open_house


@pytest.fixture(autouse=True)
def _short_grace(monkeypatch):
    monkeypatch.setattr(dialogue, "HEARD_GRACE_S", 0.3)


async def test_nobody_new_is_let_in_and_idle_sessions_are_told():
    async with open_house() as house:
        idle = await house.greeted()
        house.listeners.stop_listening()
        assert (await idle.read()).last.startswith("421 4.3.2")
        assert await idle.is_closed()
        with pytest.raises(OSError, match=r".+"):
            await house.connect()


async def test_a_transaction_under_way_is_finished_and_no_other_begun():
    async with open_house() as house:
        client = await house.greeted()
        await client.envelope()
        house.listeners.stop_listening()
        draining = asyncio.create_task(house.listeners.drain(5))
        await client.hand_in()
        assert (await client.read()).code == 250
        assert (await client.do("MAIL FROM:<a@acme.example>")).last.startswith("421 4.3.2")
        client.close()
        async with asyncio.timeout(2):
            await draining
        assert house.relay.log == ["relay m1", "taken m1", "heard m1"]


async def test_a_transaction_that_is_given_up_is_over_at_once():
    async with open_house() as house:
        client = await house.greeted()
        await client.envelope()
        house.listeners.stop_listening()
        assert (await client.do("RSET")).code == 250
        assert (await client.read()).last.startswith("421 4.3.2")
        await house.empty()


async def test_after_its_message_a_client_may_still_quit():
    async with open_house() as house:
        client = await house.greeted()
        await client.envelope()
        house.listeners.stop_listening()
        await client.hand_in()
        assert (await client.read()).code == 250
        assert (await client.do("QUIT")).code == 221
        client.close()
        await house.empty()
        assert house.relay.log[-1] == "heard m1"


async def test_a_client_that_does_not_show_that_it_heard_is_not_waited_for_long():
    async with open_house() as house:
        client = await house.greeted()
        assert (await client.send()).code == 250
        house.listeners.stop_listening()
        assert (await client.read()).last.startswith("421 4.3.2")
        client.close()
        await house.empty()
        assert house.relay.log[-1] == "unheard m1"


async def test_draining_waits_for_the_upstream():
    async with open_house() as house:
        client = await house.greeted()
        house.relay.gate.clear()
        await client.envelope()
        await client.hand_in()
        await house.relay.under_way.wait()
        house.listeners.stop_listening()
        draining = asyncio.create_task(house.listeners.drain(5))
        await asyncio.sleep(0.1)
        assert not draining.done()
        house.relay.gate.set()
        assert (await client.read()).code == 250
        client.close()
        await draining
        assert house.relay.log == ["relay m1", "taken m1", "heard m1"]


async def test_at_the_deadline_what_is_left_is_cut_off_and_noted():
    async with open_house() as house:
        waiting, inside, dawdling = [await house.greeted() for _ in range(3)]
        house.relay.gate.clear()
        await waiting.envelope()
        await waiting.hand_in()
        await house.relay.under_way.wait()
        await inside.envelope()
        await dawdling.envelope()
        await dawdling.do("DATA")
        house.listeners.stop_listening()
        async with asyncio.timeout(6):
            draining = asyncio.create_task(house.listeners.drain(0.1))
            for client in (waiting, inside, dawdling):
                assert (await client.read()).last.startswith("421 4.3.2")
                assert await client.is_closed()
            await asyncio.sleep(0.1)
            house.relay.gate.set()
            await draining
        assert house.relay.log == ["relay m1", "left", "taken m1", "unheard m1"]
        assert len(house.observer.closed) == 3


async def test_an_upstream_that_never_answers_cannot_hold_up_the_end():
    async with open_house() as house:
        client = await house.greeted()
        house.relay.gate.clear()
        await client.envelope()
        await client.hand_in()
        await house.relay.under_way.wait()
        async with asyncio.timeout(6):
            house.listeners.stop_listening()
            await house.listeners.drain(0.1)
        assert house.relay.log == ["relay m1", "left"]
        assert len(house.around.background) == 0


async def test_a_handshake_that_is_not_finished_is_cut_off_too(authority):
    files = authority.issue()
    listener = Listener(
        "127.0.0.1", 0, tls=ListenerTls.IMPLICIT, certificate=files.certificate, key=files.key
    )
    async with open_house(listener) as house:
        client = await house.connect()
        await client.write(b"\x16\x03\x01\x02\x00\x01\x00")
        await asyncio.sleep(0.05)
        async with asyncio.timeout(3):
            house.listeners.stop_listening()
            await house.listeners.drain(0.1)
        assert len(house.observer.closed) == 1


async def test_a_session_that_ends_while_shutting_down_is_no_trouble():
    async with open_house() as house:
        clients = [await house.greeted() for _ in range(5)]
        for client in clients[:3]:
            client.reset()
        house.listeners.stop_listening()
        for client in clients[3:]:
            client.close()
        async with asyncio.timeout(5):
            await house.listeners.drain(5)
        assert len(house.observer.closed) == 5


async def test_a_client_that_has_left_and_nobody_noticed_yet_is_no_trouble_either():
    async with open_house() as house:
        client = await asyncio.to_thread(_greeted, house.port)
        client.close()
        house.listeners.stop_listening()  # its 421 meets a reset before its FIN has been read
        async with asyncio.timeout(5):
            await house.listeners.drain(5)
        assert len(house.observer.closed) == 1


def _greeted(port: int) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), 10)
    client.recv(1000)
    client.sendall(b"EHLO x\r\n")
    client.recv(1000)
    return client
