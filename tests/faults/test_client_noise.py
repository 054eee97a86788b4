"""Clients that make no sense: whatever they send, no session breaks and no message is invented."""

from __future__ import annotations

import asyncio
import random
import re

from relay.core.config import Limits, Listener
from tests.unit.edge.house import House, open_house

PIECES = [
    b"EHLO client.example\r\n", b"HELO x\r\n", b"MAIL FROM:<a@acme.example>\r\n", b"DATA\r\n",
    b"MAIL FROM:<a@elsewhere.example> SIZE=1\r\n", b"RCPT TO:<b@example.org>\r\n", b"RSET\r\n",
    b'RCPT TO:<"a b"@example.org> NOTIFY=NEVER\r\n', b"AUTH PLAIN AGFjbWUAcmlnaHQ=\r\n",
    b"AUTH LOGIN\r\n", b"*\r\n", b"AUTH LOGIN =\r\n", b"STARTTLS\r\n", b"NOOP\r\n", b"VRFY x\r\n",
    b"Subject: x\r\n\r\nbody\r\n", b".\r\n", b"\r\n.\r\n", b"..\r\n", b"\n.\n", b"\r", b"\n",
    b"\0", b"\xff\xfe\r\n", b"MAIL FROM:<\r\n", b"x" * 3000, b"x" * 20_000 + b"\r\n", b"QUIT ",
]  # fmt: skip
WHOLE = (
    b"EHLO x\r\nMAIL FROM:<a@acme.example>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n"
    b"Subject: x\r\n\r\nbody\r\n.\r\n"
)
CLEAR = Listener("127.0.0.1", 0, plaintext_auth=True)
LIMITS = Limits(errors=50, message_bytes=100_000, command_timeout_s=3, data_timeout_s=3)


async def babble(house: House, generator: random.Random) -> bytes:
    """One client; what it heard."""
    client = await house.connect()
    heard = asyncio.create_task(client.reader.read())
    try:
        for _ in range(generator.randrange(60)):
            await client.write(generator.choice([*PIECES, WHOLE, WHOLE]))
            if generator.random() < 0.3:
                await asyncio.sleep(0)
    except ConnectionError:
        pass
    if generator.random() < 0.3:
        client.reset()
    else:
        client.half_close()
    try:
        async with asyncio.timeout(10):
            return await heard
    except ConnectionError:
        return b""


async def test_noise_breaks_no_session_and_every_reply_keeps_its_form():
    generator = random.Random(20260303)
    line = re.compile(rb"(?:220 relay|250[ -]|354 |334 |[245]\d\d[ -][245]\.\d+\.\d+ ).*")
    async with open_house(CLEAR, limits=LIMITS) as house:
        for _ in range(15):
            heard = await asyncio.gather(*(babble(house, generator) for _ in range(12)))
            for told in heard:
                assert all(line.fullmatch(reply) for reply in told.splitlines()), told
        await house.empty()
        assert len(house.observer.closed) == 180
        assert house.around.turnstile._count == 0
        taken = [entry.split()[1] for entry in house.relay.log if entry.startswith("taken")]
        told = [entry.split()[1] for entry in house.relay.log if "eard" in entry]
        assert sorted(taken) == sorted(told)
        assert len(taken) > 10
        assert all(b"\n" not in s.content.replace(b"\r\n", b"") for s in house.relay.submissions)
