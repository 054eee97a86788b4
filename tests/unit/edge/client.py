"""An SMTP client that says exactly what it is told, and checks what every reply owes.

`follow` plays a transcript: "C:" lines are sent, each "S:" line must be the start of the next
reply (its last line, if it has several).
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import struct
from dataclasses import dataclass
from typing import ClassVar, Self

TIMEOUT_S = 10.0
_ENHANCED = re.compile(r"([245])\.\d{1,3}\.\d{1,3} ")
_WITHOUT_CODE = ("220 relay.example.net", "250-relay.example.net", "250 relay.example.net")


@dataclass(frozen=True, slots=True)
class Heard:
    lines: tuple[str, ...]

    @property
    def code(self) -> int:
        return int(self.lines[-1][:3])

    @property
    def last(self) -> str:
        return self.lines[-1]

    def __str__(self) -> str:
        return "\n".join(self.lines)


class Client:
    open: ClassVar[list[Client]] = []

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.open.append(self)

    @classmethod
    async def connect(
        cls,
        port: int,
        *,
        tls: ssl.SSLContext | None = None,
        preamble: bytes = b"",
        host: str = "127.0.0.1",
    ) -> Self:
        async with asyncio.timeout(TIMEOUT_S):
            reader, writer = await asyncio.open_connection(host, port)
            client = cls(reader, writer)
            if preamble:
                writer.write(preamble)
            if tls:
                await client.start_tls(tls)
            return client

    @classmethod
    async def close_all(cls) -> None:
        for client in cls.open:
            client.writer.transport.abort()
        cls.open.clear()
        await asyncio.sleep(0)

    async def start_tls(self, context: ssl.SSLContext) -> None:
        async with asyncio.timeout(TIMEOUT_S):
            await self.writer.start_tls(context, server_hostname="localhost")

    async def write(self, data: bytes) -> None:
        async with asyncio.timeout(TIMEOUT_S):
            self.writer.write(data)
            await self.writer.drain()

    async def read(self, timeout_s: float = TIMEOUT_S) -> Heard:
        lines: list[str] = []
        async with asyncio.timeout(timeout_s):
            while not lines or lines[-1][3:4] == "-":
                line = await self.reader.readline()
                if not line:
                    raise ConnectionError(f"closed after {lines}")
                assert line.endswith(b"\r\n")
                assert len(line) <= 512
                lines.append(line.decode("ascii").removesuffix("\r\n"))
        check_codes(lines)
        return Heard(tuple(lines))

    async def do(self, command: str | bytes) -> Heard:
        data = command if isinstance(command, bytes) else command.encode()
        await self.write(data + b"\r\n")
        return await self.read()

    async def follow(self, transcript: str) -> list[Heard]:
        heard = []
        for line in transcript.strip().splitlines():
            who, _, text = line.strip().partition(":")
            if who == "C":
                await self.write(text.removeprefix(" ").encode() + b"\r\n")
                continue
            assert who == "S", line
            heard.append(await self.read())
            assert heard[-1].last.startswith(text.strip()), f"{heard[-1]} is not {text}"
        return heard

    async def envelope(self, *recipients: str, sender: str = "news@acme.example") -> None:
        assert (await self.do(f"MAIL FROM:<{sender}>")).code == 250
        for recipient in recipients or ("reader@example.org",):
            assert (await self.do(f"RCPT TO:<{recipient}>")).code == 250

    async def hand_in(self, wire: bytes = b"Subject: x\r\n\r\nbody\r\n") -> None:
        """DATA, the content (stuffed already) and the final dot; the reply is not awaited."""
        assert (await self.do("DATA")).code == 354
        await self.write(wire + b".\r\n")

    async def send(self, wire: bytes = b"Subject: x\r\n\r\nbody\r\n") -> Heard:
        await self.envelope()
        await self.hand_in(wire)
        return await self.read()

    async def is_closed(self, timeout_s: float = TIMEOUT_S) -> bool:
        """Whether the server has closed, and said nothing more."""
        async with asyncio.timeout(timeout_s):
            try:
                return await self.reader.read() == b""
            except ConnectionError:
                return True

    def half_close(self) -> None:
        if not self.writer.is_closing():
            self.writer.write_eof()

    def close(self) -> None:
        """Leave without a word: FIN."""
        self.writer.close()

    def reset(self) -> None:
        """Vanish: RST."""
        found = self.writer.get_extra_info("socket")
        if found is None or found.fileno() < 0:
            return
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


def check_codes(lines: list[str]) -> None:
    """RFC 2034: every line has an enhanced code of its class, but greetings and 3xx."""
    if lines[0].startswith(_WITHOUT_CODE) or lines[0][0] == "3":
        return
    for line in lines:
        found = _ENHANCED.match(line[4:] + " ")
        assert found, line
        assert found[1] == line[0], line
