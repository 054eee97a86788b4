"""Many clients at once in one event loop, some of which vanish; what fails is sent again.

Each behaves as an MTA would: the same Message-ID until it hears 250, what was deferred again
on the next day. `letters.py` keeps what they know. Every wait has a deadline.
"""

from __future__ import annotations

import asyncio
import heapq
import random
import socket
import struct
import time
from collections.abc import Sequence
from itertools import count

from tests.harness.letters import PROVIDERS, Book, Letter

REPLY_S = 30.0
FIRST_RETRY_S = (0.4, 1.2)
LONGEST_RETRY_S = 4.0
HINDERED_S = (0.1, 0.4)


class Vanished(Exception):
    """The client has reset its own connection, as it was meant to."""


class Connection:
    """One SMTP connection. `tear` is the chance that it is reset at any one step."""

    def __init__(self, dice: random.Random, tear: float) -> None:
        self._dice = dice
        self._tear = tear
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter | None = None

    async def open(self, port: int) -> None:
        """Connect and greet. Raises OSError, EOFError."""
        async with asyncio.timeout(REPLY_S):
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", port)
        code, text = await self.reply()
        if code == 220:
            code, text = await self.do("EHLO client.acme.example")
        if code != 250:
            raise EOFError(text)

    async def do(self, line: str) -> tuple[int, str]:
        """One command, and its reply."""
        await self.write(line.encode() + b"\r\n")
        return await self.reply()

    async def write(self, data: bytes) -> None:
        """Send `data`, and perhaps vanish."""
        assert self._writer
        async with asyncio.timeout(REPLY_S):
            self._writer.write(data)
            await self._writer.drain()
        if self._tear and self._dice.random() < self._tear:
            await asyncio.sleep(self._dice.choice((0, 0.003, 0.03)))
            self.reset()
            raise Vanished

    async def reply(self) -> tuple[int, str]:
        """The next reply. Raises EOFError, OSError."""
        lines: list[str] = []
        async with asyncio.timeout(REPLY_S):
            while not lines or lines[-1][3:4] == "-":
                lines.append((await self._reader.readuntil(b"\r\n")).decode())
        return int(lines[-1][:3]), "".join(line[4:] for line in lines)

    def reset(self) -> None:
        """RST instead of FIN."""
        assert self._writer
        if (connection := self._writer.get_extra_info("socket")) and connection.fileno() >= 0:
            linger = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._writer.transport.abort()

    def close(self) -> None:
        """Leave without a word."""
        if self._writer:
            self._writer.close()


class Swarm:
    """`clients` in parallel over `ports` (by number of relay). Clients run while `is_on`.

    `widths` are the numbers of recipients that a letter may have; `providers` are their domains.
    """

    def __init__(
        self,
        ports: Sequence[int],
        book: Book,
        dice: random.Random,
        *,
        clients: int,
        widths: Sequence[int] = (1,),
        providers: Sequence[str] = tuple(PROVIDERS),
        tear: float = 0.0,
        pause_s: float = 0.0,
    ) -> None:
        self.ports = ports
        self.book = book
        self.dice = dice
        self.tear = tear
        self.writes_new = True
        self.is_on = True
        self._sender = f"news@{book.domain}"
        self._clients = clients
        self._widths = widths
        self._providers = providers
        self._pause_s = pause_s
        self._again: list[tuple[float, int, Letter]] = []
        self._order = count()
        self._busy = 0

    # -- what the test says -----------------------------------------------------------

    async def run(self) -> None:
        """All clients, until `is_on` is false."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._clients):
                group.create_task(self._client())

    def next_day(self) -> None:
        """Offer what was deferred once more."""
        for letter in self.book.letters.values():
            if letter.is_deferred:
                letter.is_deferred = False
                self._later(letter, self.dice.uniform(0, 2))

    async def calm(self, timeout_s: float = 60.0) -> bool:
        """Write nothing new and vanish no more, until every sender knows of its letters.

        False if that is not so after `timeout_s`; what is open is still offered then.
        """
        self.writes_new, self.tear = False, 0.0
        deadline = time.monotonic() + timeout_s
        while self._busy or self._again:
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(0.05)
        return True

    async def fill(self, provider: str) -> None:
        """New letters to one recipient at `provider` (a domain), until a wall is hit."""
        connection = None
        for _ in range(20_000):
            letter = self.book.write((f"f{self.dice.random()}@{provider}",))
            for _ in range(50):
                connection = await self._attempt(connection, letter)
                if letter.heard or letter.is_deferred:
                    break
                await asyncio.sleep(0.3)
            if letter.is_deferred:
                break
        if connection:
            connection[1].close()

    # -- one client -------------------------------------------------------------------

    async def _client(self) -> None:
        connection: tuple[int, Connection] | None = None
        while self.is_on:
            letter = self._next()
            if letter is None:
                if connection:
                    connection[1].close()
                connection = None
                await asyncio.sleep(0.05)
                continue
            self._busy += 1
            connection = await self._attempt(connection, letter)
            if not (letter.heard or letter.is_deferred):
                self._later(letter, self._wait_s(letter))
            self._busy -= 1
            is_hindered = letter.is_deferred or connection is None
            await asyncio.sleep(self.dice.uniform(*HINDERED_S) if is_hindered else self._pause_s)
        if connection:
            connection[1].close()

    def _next(self) -> Letter | None:
        if self._again and self._again[0][0] <= time.monotonic():
            return heapq.heappop(self._again)[2]
        if not self.writes_new:
            return None
        width = self.dice.choice(self._widths)
        names = (f"r{number}@{self.dice.choice(self._providers)}" for number in range(width))
        return self.book.write(tuple(names))

    def _later(self, letter: Letter, wait_s: float) -> None:
        heapq.heappush(self._again, (time.monotonic() + wait_s, next(self._order), letter))

    def _wait_s(self, letter: Letter) -> float:
        return min(LONGEST_RETRY_S, self.dice.uniform(*FIRST_RETRY_S) * 1.5**letter.tries)

    async def _attempt(
        self, connection: tuple[int, Connection] | None, letter: Letter
    ) -> tuple[int, Connection] | None:
        """Offer `letter` once; the connection if it may be used again."""
        letter.tries += 1
        try:
            if connection is None:
                number = self.dice.randrange(len(self.ports))
                connection = (number, Connection(self.dice, self.tear))
                await connection[1].open(self.ports[number])
            code, text = await self._transaction(*connection, letter)
        except Vanished:
            self.book.torn += 1
            return None
        except (OSError, EOFError) as error:
            if isinstance(error, TimeoutError):
                self.book.replies["silence"] += 1
            connection[1].close()
            return None
        return connection if self._note(letter, code, text) else None

    async def _transaction(
        self, relay: int, connection: Connection, letter: Letter
    ) -> tuple[int, str]:
        envelope = [f"MAIL FROM:<{self._sender}>"]
        envelope += [f"RCPT TO:<{name}>" for name in letter.recipients]
        for line in [*envelope, "DATA"]:
            code, text = await connection.do(line)
            if code not in (250, 354):
                if code != 421:
                    await connection.do("RSET")
                return code, text
        attempt = self.book.hand_in(relay, letter)
        try:
            await connection.write(self._content(letter))
            found = await connection.reply()
        except Vanished:
            self.book.left(relay, attempt)
            raise
        except (OSError, EOFError):
            self.book.answered(relay, attempt)
            raise
        self.book.answered(relay, attempt)
        return found

    def _content(self, letter: Letter) -> bytes:
        fields = (
            f"From: Acme <{self._sender}>",
            "To: reader@example.org",
            f"Subject: number {letter.number}",
            f"Message-ID: <{letter.name}>",
        )
        return "\r\n".join([*fields, "", f"This is {letter.number}.", ".", ""]).encode()

    def _note(self, letter: Letter, code: int, text: str) -> bool:
        """Write down what was heard; whether the connection is still good."""
        enhanced = text.partition(" ")[0]
        self.book.replies[f"{code} {enhanced}"] += 1
        assert code < 500, f"{letter}: {code} {text}"
        if code == 250:
            letter.heard = True
            self.book.retried += "earlier attempt" in text
        elif enhanced == "4.7.1":
            letter.is_deferred = True
        return code != 421
