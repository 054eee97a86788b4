from __future__ import annotations

import asyncio
import time

import pytest

from relay.core.config import Limits, Listener
from tests.unit.edge.client import Client
from tests.unit.edge.house import open_house, until

SOON_S = 0.15


async def test_a_silent_client_hears_421_and_is_left():
    async with open_house(limits=Limits(command_timeout_s=SOON_S)) as house:
        for begun in (b"", b"EHLO client.exam", b"x" * 20_000):
            client = await house.greeted()
            await client.write(begun)
            assert (await client.read()).last.startswith("421 4.4.2")
            client.close()


async def test_a_line_that_only_drips_in_is_not_waited_for():
    async with open_house(limits=Limits(command_timeout_s=SOON_S)) as house:
        client = await house.greeted()
        for _ in range(8):
            await client.write(b"N")
            await asyncio.sleep(SOON_S / 5)
        assert (await client.read()).last.startswith("421 4.4.2")


async def test_the_timeout_of_content_starts_again_with_every_chunk():
    limits = Limits(command_timeout_s=SOON_S, data_timeout_s=2 * SOON_S)
    async with open_house(limits=limits) as house:
        client = await house.greeted()
        await client.envelope()
        await client.do("DATA")
        for _ in range(6):
            await client.write(b"a line\r\n")
            await asyncio.sleep(SOON_S)
        await client.write(b".\r\n")
        assert (await client.read()).code == 250


async def test_content_that_stops_coming_ends_the_session():
    async with open_house(limits=Limits(data_timeout_s=SOON_S)) as house:
        client = await house.greeted()
        await client.envelope()
        await client.do("DATA")
        await client.write(b"a line\r\n")
        assert (await client.read()).last.startswith("421 4.4.2")
        assert house.relay.submissions == []


async def test_a_message_may_not_drip_in_forever():
    async with open_house(limits=Limits(data_timeout_s=0.02)) as house:
        client = await house.greeted()
        await client.envelope()
        await client.do("DATA")
        began = time.monotonic()
        with pytest.raises(ConnectionError):
            await _drip(client)
        assert time.monotonic() - began < 4


async def _drip(client: Client) -> None:
    for _ in range(1000):
        await client.write(b"x")
        await asyncio.sleep(0.005)


async def test_a_session_may_make_so_many_errors():
    async with open_house(limits=Limits(errors=3)) as house:
        client = await house.greeted()
        for _ in range(3):
            assert (await client.do("NONSENSE")).code == 500
        assert (await client.do("NONSENSE")).last.startswith("421 4.7.0")
        assert await client.is_closed()


async def test_errors_count_from_the_last_message_that_was_taken():
    async with open_house(limits=Limits(errors=3)) as house:
        client = await house.greeted()
        for _ in range(3):
            for _ in range(3):
                assert (await client.do("NONSENSE")).code == 500
            assert (await client.send()).code == 250


async def test_more_connections_than_allowed_are_told_to_come_back():
    async with open_house(limits=Limits(connections=2)) as house:
        inside = [await house.greeted() for _ in range(2)]
        refused = await house.connect()
        assert (await refused.read()).last.startswith("421 4.3.2")
        assert await refused.is_closed()
        await inside[0].do("QUIT")
        await until(lambda: house.around.turnstile._count == 1)
        assert (await (await house.connect()).read()).code == 220


async def test_more_connections_from_one_address_are_too():
    async with open_house(limits=Limits(connections_per_address=1)) as house:
        await house.greeted()
        refused = await house.connect()
        assert (await refused.read()).last.startswith("421 4.3.2")


async def test_a_line_too_long_is_refused_and_the_next_one_is_understood():
    async with open_house() as house:
        client = await house.greeted()
        assert (await client.do("NOOP " + "x" * 2036)).code == 250
        for length in (2100, 13_000, 1_000_000):
            assert (await client.do("NOOP " + "x" * length)).last == "500 5.5.2 line too long"
            assert (await client.do("NOOP")).last == "250 2.0.0 Ok"


async def test_the_listener_is_counted_by_the_name_of_its_real_port():
    async with open_house(Listener("127.0.0.1", 0), Listener("127.0.0.1", 0)) as house:
        clients = [await house.greeted(number) for number in (0, 1)]
        names = [f"127.0.0.1:{port}" for _, port in house.listeners.addresses]
        assert house.observer.opened == names
        assert names[0] != names[1]
        for client in clients:
            await client.do("QUIT")
            client.close()
        await house.empty()
        assert sorted(house.observer.closed) == sorted(names)


async def test_an_address_in_use_closes_what_was_opened():
    async with open_house() as house:
        taken = house.listeners.addresses[0][1]
        with pytest.raises(OSError, match="in use"):
            async with open_house(Listener("127.0.0.1", 0), Listener("127.0.0.1", taken)):
                pass


async def test_what_all_clients_send_at_once_is_bounded_and_the_small_ones_pass():
    limits = Limits(message_bytes=100_000, memory_bytes=300_000)
    body = b"Subject: x\r\n\r\n" + (b"x" * 998 + b"\r\n") * 90
    async with open_house(limits=limits) as house:
        slow = [await house.greeted() for _ in range(3)]
        for client in slow:
            await client.envelope()
            await client.do("DATA")
            await client.write(body)
        await until(lambda: house.around.memory.held_bytes == 2 * len(body))
        another = await house.greeted()
        assert (await another.send()).code == 250
        assert (await another.send(body)).last.startswith("452 4.3.1")
        told = await another.do(f"MAIL FROM:<a@news.acme.example> SIZE={len(body)}")
        assert told.last.startswith("452 4.3.1"), "before any of it is sent"
        assert (await another.do("RCPT TO:<r@example.org>")).code == 503
        assert (await another.do("MAIL FROM:<a@news.acme.example> SIZE=100")).code == 250
        await another.do("RSET")
        assert (await another.send()).code == 250
        slow[0].close()
        await until(lambda: house.around.memory.held_bytes == len(body))
        assert (await another.send(body)).code == 250
        await slow[1].write(b".\r\n")
        await slow[2].write(b".\r\n")
        answers = sorted([(await client.read()).last[:9] for client in slow[1:]])
        assert answers[0].startswith("250")
        assert answers[1] == "452 4.3.1"
        assert (await slow[2].send(body)).code == 250
        assert house.around.memory.held_bytes == 0
        assert house.observer.refused_for_memory == 3
