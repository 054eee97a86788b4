"""One connection of the scripted SMTP server: its dialogue, and where the script cuts in.

Knows nothing of listening or of files; `smtp_sink.py` starts it, `smtp_ledger.py` records.
"""

from __future__ import annotations

import asyncio
import base64
import re
import socket
import struct
from typing import TYPE_CHECKING

from tests.harness.smtp_ledger import Received
from tests.harness.smtp_script import Act, Then

if TYPE_CHECKING:
    from tests.harness.smtp_sink import Sink

_PATH = re.compile(rb"^[A-Z]+ (?:FROM|TO):<(.*?)>(?: (.*))?$", re.IGNORECASE)
_VERBS = frozenset(
    ["EHLO", "HELO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "RSET", "NOOP", "QUIT"]
)
_READ_BYTES = 1 << 18
_LONGEST_S = 3600.0


class _Ended(EOFError):
    """The script ended the connection."""


class Session:
    """`buffered` is what the client has sent ahead of the command being answered, in bytes."""

    def __init__(
        self, sink: Sink, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._sink = sink
        self._number = number
        self._reader = reader
        self._writer = writer
        self._buffer = bytearray()
        self._message: Received | None = None
        self._greeted = False
        self._user: str | None = None
        self._secure = sink.implicit_tls

    async def run(self) -> None:
        """The whole dialogue, until the client or the script ends it."""
        await self._act("CONNECT", b"", "220 sink.example ESMTP")
        while True:
            line = await self._line()
            self._sink.commands.append((self._number, line))
            if tls := self._writer.get_extra_info("ssl_object"):
                self._sink.tls_versions.add(tls.version())
            verb = line.split(b" ")[0].upper().decode("ascii", "replace")
            self._sink.ahead.append((verb, len(self._buffer)))
            if verb in _VERBS:
                await getattr(self, f"_{verb.lower()}")(line)
            else:
                await self._send(b"500 5.5.1 unknown command\r\n")

    async def _ehlo(self, line: bytes) -> None:
        self._greeted, self._message = True, None
        keywords = [
            k for k in self._sink.offers.keywords() if not (k == "STARTTLS" and self._secure)
        ]
        lines = ["sink.example", *keywords]
        marks = ["-"] * (len(lines) - 1) + [" "]
        reply = "\r\n".join(f"250{mark}{text}" for mark, text in zip(marks, lines, strict=True))
        await self._act("EHLO", line, reply)

    async def _helo(self, line: bytes) -> None:
        self._greeted, self._message = True, None
        await self._act("HELO", line, "250 sink.example")

    async def _starttls(self, line: bytes) -> None:
        if not self._sink.tls or self._secure or not self._sink.offers.starttls:
            return await self._send(b"454 4.7.0 no TLS here\r\n")
        act = await self._act("STARTTLS", line, "220 2.0.0 go ahead")
        if act.refuses:
            return None
        self._buffer.clear()  # RFC 3207 §4.2
        await self._writer.start_tls(self._sink.tls)
        self._secure, self._greeted = True, False
        return None

    async def _auth(self, line: bytes) -> None:
        words = line.split(b" ")
        mechanism = words[1].upper() if len(words) > 1 else b""
        if mechanism.decode() not in self._sink.offers.auth:
            return await self._send(b"504 5.5.4 no such mechanism\r\n")
        if mechanism == b"PLAIN":
            name, password = base64.b64decode(words[2]).split(b"\0")[1:]
        else:
            name = base64.b64decode(words[2])
            await self._send(b"334 UGFzc3dvcmQ6\r\n")
            password = base64.b64decode(await self._line())
        right = self._sink.users.get(name.decode()) == password.decode()
        self._user = name.decode() if right else None
        usual = "235 2.7.0 ok" if right else "535 5.7.8 authentication failed"
        await self._act("AUTH", line, usual)
        return None

    async def _mail(self, line: bytes) -> None:
        found = _PATH.match(line)
        if not found or not self._greeted or self._message:
            return await self._send(b"503 5.5.1 not now\r\n")
        if self._sink.users and not self._user:
            return await self._send(b"530 5.7.0 authentication required\r\n")
        act = await self._act("MAIL", line, "250 2.1.0 ok")
        if not act.refuses:
            sender = found[1].decode("utf-8", "surrogateescape")
            self._message = Received(self._number, sender, _params(found[2]))
        return None

    async def _rcpt(self, line: bytes) -> None:
        found = _PATH.match(line)
        if not found or not self._message:
            return await self._send(b"503 5.5.1 MAIL first\r\n")
        act = await self._act("RCPT", line, "250 2.1.5 ok")
        if not act.refuses and self._message:
            self._message.rcpts.append(found[1].decode("utf-8", "surrogateescape"))
            self._message.rcpt_params.append(_params(found[2]))
        return None

    async def _data(self, line: bytes) -> None:
        due = self._sink.script.due("DATA", line)
        forced = due.reply is not None and due.reply.startswith(b"354")
        if not (self._message and self._message.rcpts) and not forced:
            return await self._send(b"503 5.5.1 no valid recipients\r\n")
        await self._play(due, "354 go ahead")
        if due.reply is not None and not forced:
            self._message = None
            return None
        await self._content()
        return None

    async def _content(self) -> None:
        act = self._sink.script.due("BODY")
        if act != Act():
            while len(self._buffer) < act.after_bytes:
                await self._more()
            if self._message and act.then is not Then.GO_ON:
                self._sink.ledger.dropped.append(self._message)
            await self._play(act, "")
        if act.refuses:
            await self._swallow()
        content = await self._until_dot()
        message, self._message = self._message, None
        dot = self._sink.script.due("DOT")
        if message:
            message.content = content
            self._judge(message, dot)
        await self._play(dot, "250 2.0.0 Ok: queued")

    def _judge(self, message: Received, dot: Act) -> None:
        message.is_cut = dot.then is not Then.GO_ON
        if dot.takes:
            self._sink.ledger.note(message)
        elif not dot.refuses:
            self._sink.ledger.dropped.append(message)

    async def _until_dot(self) -> bytes:
        stuffed = bytearray(b"\r\n") + self._buffer
        self._buffer.clear()
        begin = 0
        while (end := stuffed.find(b"\r\n.\r\n", begin)) < 0:
            begin = max(0, len(stuffed) - 4)
            stuffed += await self._received()
        self._buffer += stuffed[end + 5 :]
        del stuffed[end + 2 :]
        return bytes(stuffed).replace(b"\r\n.", b"\r\n")[2:]

    async def _rset(self, line: bytes) -> None:
        self._message = None
        await self._act("RSET", line, "250 2.0.0 ok")

    async def _noop(self, line: bytes) -> None:
        await self._act("NOOP", line, "250 2.0.0 ok")

    async def _quit(self, line: bytes) -> None:
        await self._act("QUIT", line, "221 2.0.0 bye")
        raise _Ended

    async def _act(self, verb: str, line: bytes, usual: str) -> Act:
        act = self._sink.script.due(verb, line)
        await self._play(act, usual)
        return act

    async def _play(self, act: Act, usual: str) -> None:
        if act.delay_s:
            await asyncio.sleep(act.delay_s)
        reply = act.reply if act.reply is not None else usual.encode() + b"\r\n" * bool(usual)
        pieces = [bytes([byte]) for byte in reply] if act.split else [reply]
        for piece in pieces:
            await self._send(piece)
            if act.split:
                await asyncio.sleep(0)
        if act.then is not Then.GO_ON:
            await self._end(act.then)

    async def _end(self, how: Then) -> None:
        if how is Then.HALF_CLOSE:
            self._writer.write_eof()
            await self._swallow()
        if how is Then.RESET:
            linger = struct.pack("ii", 1, 0)
            connection = self._writer.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        if how is Then.STALL:
            await asyncio.sleep(_LONGEST_S)  # reads nothing either: the client's writes pile up
        raise _Ended

    async def _swallow(self) -> None:
        while True:
            await self._received()

    async def _send(self, reply: bytes) -> None:
        if reply:
            self._writer.write(reply)
            await self._writer.drain()

    async def _received(self) -> bytes:
        got = await self._reader.read(_READ_BYTES)
        if not got:
            raise EOFError
        return got

    async def _more(self) -> None:
        self._buffer += await self._received()

    async def _line(self) -> bytes:
        while (end := self._buffer.find(b"\n")) < 0:
            await self._more()
        line = bytes(self._buffer[:end]).rstrip(b"\r")
        del self._buffer[: end + 1]
        return line


def _params(rest: bytes | None) -> list[str]:
    return rest.decode("utf-8", "surrogateescape").split(" ") if rest else []
