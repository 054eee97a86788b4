from __future__ import annotations

import asyncio

from relay.core.config import Limits
from tests.unit.edge.house import open_house, until

WHOLE = (
    b"EHLO client.example\r\n"
    b"MAIL FROM:<a@acme.example>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n"
    b"Subject: one\r\n\r\nbody\r\n.\r\n"
    b"MAIL FROM:<a@acme.example>\r\nRCPT TO:<c@example.org>\r\nNONSENSE\r\nDATA\r\n"
    b"Subject: two\r\n\r\nbody\r\n.\r\n"
    b"QUIT\r\n"
)
CODES = [220, 250, 250, 250, 354, 250, 250, 250, 500, 354, 250, 221]


async def codes_of(client) -> list[int]:
    return [(await client.read()).code for _ in CODES]


async def test_a_whole_dialogue_in_one_packet_gets_every_reply_in_order():
    async with open_house() as house:
        client = await house.connect()
        await client.write(WHOLE)
        assert await codes_of(client) == CODES
        client.close()
        await house.empty()
        subjects = [submission.content[:12] for submission in house.relay.submissions]
        assert subjects == [b"Subject: one", b"Subject: two"]


async def test_a_whole_dialogue_byte_by_byte_gets_the_same():
    async with open_house() as house:
        client = await house.connect()
        for at in range(len(WHOLE)):
            await client.write(WHOLE[at : at + 1])
            if at % 7 == 0:
                await asyncio.sleep(0)
        assert await codes_of(client) == CODES


async def test_a_client_that_half_closes_after_pipelining_still_gets_its_replies():
    async with open_house() as house:
        client = await house.connect()
        await client.write(WHOLE)
        client.half_close()
        assert await codes_of(client) == CODES
        assert await client.is_closed()
        assert len(house.relay.submissions) == 2


async def test_a_half_closed_client_hears_of_a_message_that_takes_its_time():
    async with open_house() as house:
        client = await house.connect()
        house.relay.gate.clear()
        await client.write(WHOLE)
        client.half_close()
        await house.relay.under_way.wait()
        await asyncio.sleep(0.05)
        house.relay.gate.set()
        assert await codes_of(client) == CODES


async def test_a_half_close_in_the_middle_of_content_hands_nothing_over():
    async with open_house() as house:
        client = await house.greeted()
        await client.envelope()
        await client.do("DATA")
        await client.write(b"Subject: x\r\n\r\nhalf a line")
        client.half_close()
        assert await client.is_closed()
        await house.empty()
        assert house.relay.submissions == []


async def test_a_client_that_never_reads_its_replies_is_left_in_the_end():
    async with open_house(limits=Limits(command_timeout_s=0.3)) as house:
        client = await house.greeted()
        client.writer.transport.pause_reading()
        client.writer.write(b"EHLO x\r\n" * 200_000)
        await until(lambda: bool(house.observer.closed), timeout_s=10)


async def test_a_flood_from_one_client_does_not_keep_others_waiting():
    async with open_house() as house:
        flooding, other = await house.greeted(), await house.greeted()
        await flooding.write(b"NOOP\r\n" * 30_000)
        began = asyncio.get_running_loop().time()
        assert (await other.do("NOOP")).code == 250
        assert asyncio.get_running_loop().time() - began < 0.25


async def test_a_few_thousand_pipelined_commands_are_all_answered():
    async with open_house() as house:
        client = await house.greeted()
        writing = asyncio.create_task(client.write(b"NOOP\r\n" * 20_000))
        for _ in range(20_000):
            assert (await client.read()).code == 250
        await writing
