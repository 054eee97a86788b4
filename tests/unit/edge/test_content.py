"""Bytes in, bytes out (rule 7)."""

from __future__ import annotations

import random
import re
import time

import pytest

from relay.core.config import Limits
from tests.unit.edge.house import open_house

HEAD = b"Subject: x\r\n\r\n"


@pytest.mark.parametrize(
    "body",
    [b"", b"\r\n", b"\r\n\r\n\r\n", b".\r\n", b"..\r\n.a\r\n...\r\n", b"x" * 100_000 + b"\r\n",
     b"\0\0a\0\r\n", bytes(range(0x80, 0x100)) + b"\r\n", "grün 用户\r\n".encode(),
     b"." * 70_000 + b"\r\n", b"From x\r\n", b"\x1a\x08\t\r\n"],
    ids=["empty", "one empty line", "empty lines", "a dot", "dots", "a line of 100 kB", "NUL",
         "8 bit", "UTF-8", "many dots", "From", "controls"],
)  # fmt: skip
async def test_content_arrives_byte_for_byte(body):
    async with open_house() as house:
        client = await house.greeted()
        for content in (HEAD + body, body):
            heard = await client.send(re.sub(rb"(?m)^\.", b"..", content))
            assert heard.code == 250
            assert house.relay.submissions.pop().content == content


async def test_a_large_message_arrives_whole_and_soon():
    generator = random.Random(7)
    lines = [generator.randbytes(57).hex().encode() + b"\r\n" for _ in range(2000)]
    content = HEAD + b"".join(lines) * 107
    assert 24_000_000 < len(content) < 26_214_400
    async with open_house() as house:
        client = await house.greeted()
        began = time.perf_counter()
        assert (await client.send(content)).code == 250
        took_s = time.perf_counter() - began
        assert house.relay.submissions[0].content == content
        assert took_s < 3
        assert len(house.observer.received_s) == 1
        assert 0 < house.observer.received_s[0] < took_s


async def test_a_message_of_exactly_the_limit_is_taken_and_one_byte_more_is_not():
    async with open_house(limits=Limits(message_bytes=5000)) as house:
        client = await house.greeted()
        content = b"x" * 4998 + b"\r\n"
        assert (await client.send(content)).code == 250
        assert (await client.send(b"x" + content)).last.startswith("552 5.3.4")
        assert (await client.send(b"x" * 2000 + content)).last.startswith("552 5.3.4")
        assert (await client.send()).code == 250
        assert len(house.relay.submissions) == 2


async def test_a_client_that_sends_twice_the_limit_is_given_up_on():
    async with open_house(limits=Limits(message_bytes=10_000)) as house:
        client = await house.greeted()
        await client.envelope()
        await client.do("DATA")
        await client.write(b"x" * 10_000_000)
        assert (await client.read()).last.startswith("552 5.3.4")
        await house.empty()


async def test_a_bare_line_feed_is_refused_and_the_session_goes_on():
    async with open_house() as house:
        client = await house.greeted()
        assert (await client.send(b"Subject: x\n\nbody\r\n")).last.startswith("550 5.6.11")
        assert (await client.send()).code == 250
        assert len(house.relay.submissions) == 1
