"""An SMTP client at the level of the wire: sends what it is told, and can vanish in the middle.

What smtplib is too polite for: leaving after the final dot, resetting a connection, writing a
PROXY header, reading the replies one by one.
"""

from __future__ import annotations

import base64
import re
import socket
import ssl
import struct
from dataclasses import dataclass
from typing import Self

from cryptography import x509

TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class WireReply:
    """One reply; `text` holds its lines, the enhanced code included."""

    code: int
    text: str

    @property
    def enhanced(self) -> str | None:
        """The enhanced status code of its first line."""
        found = re.match(r"([245]\.\d{1,3}\.\d{1,3})\b", self.text)
        return found[1] if found else None

    def __str__(self) -> str:
        return f"{self.code} {self.text}"


class Wire:
    """One connection, from `source`. With `greet`, the greeting and EHLO are done."""

    def __init__(
        self,
        port: int,
        *,
        preamble: bytes = b"",
        tls: ssl.SSLContext | None = None,
        greet: bool = True,
        timeout_s: float = TIMEOUT_S,
        host: str = "127.0.0.1",
        source: str = "",
    ) -> None:
        self._socket: socket.socket = socket.create_connection(
            (host, port), timeout_s, (source, 0) if source else None
        )
        if preamble:
            self._socket.sendall(preamble)
        if tls:
            self._socket = tls.wrap_socket(self._socket, server_hostname="localhost")
        self._buffer = b""
        self.keywords: set[str] = set()
        if greet:
            assert self.read().code == 220
            self.ehlo()

    def ehlo(self) -> None:
        """Greet, and learn what is offered."""
        reply = self.do("EHLO client.acme.example")
        assert reply.code == 250, reply
        self.keywords = {line.split(" ")[0].upper() for line in reply.text.splitlines()[1:]}

    def starttls(self, context: ssl.SSLContext) -> None:
        """STARTTLS, and EHLO again."""
        assert self.do("STARTTLS").code == 220
        self._socket = context.wrap_socket(self._socket, server_hostname="localhost")
        self.ehlo()

    def serial(self) -> int:
        """The serial number of the server's certificate."""
        assert isinstance(self._socket, ssl.SSLSocket)
        der = self._socket.getpeercert(binary_form=True)
        assert der
        return x509.load_der_x509_certificate(der).serial_number

    @property
    def connection(self) -> socket.socket:
        """The socket itself, for what a client should not do to it."""
        return self._socket

    def write(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._socket.sendall(data)

    def read(self) -> WireReply:
        """The next reply. Raises ConnectionError where the server has left."""
        lines: list[str] = []
        while True:
            line = self._line()
            lines.append(line[4:])
            if line[3:4] != "-":
                return WireReply(int(line[:3]), "\n".join(lines))

    def _line(self) -> str:
        while b"\r\n" not in self._buffer:
            received = self._socket.recv(65536)
            if not received:
                raise ConnectionError("the server closed the connection")
            self._buffer += received
        line, _, self._buffer = self._buffer.partition(b"\r\n")
        return line.decode()

    def do(self, command: str) -> WireReply:
        """One command and its reply."""
        self.write(command.encode() + b"\r\n")
        return self.read()

    def auth_plain(self, username: str, password: str) -> WireReply:
        """AUTH PLAIN with its initial response."""
        token = base64.b64encode(f"\0{username}\0{password}".encode()).decode()
        return self.do(f"AUTH PLAIN {token}")

    def envelope(self, sender: str, *recipients: str, options: str = "") -> WireReply:
        """MAIL and RCPT, up to the first reply that is no 250."""
        reply = self.do(f"MAIL FROM:<{sender}>{options}")
        for recipient in recipients:
            if reply.code != 250:
                break
            reply = self.do(f"RCPT TO:<{recipient}>")
        return reply

    def hand_in(self, content: bytes) -> None:
        """DATA, the content and the final dot, without waiting for what is said to that."""
        reply = self.do("DATA")
        assert reply.code == 354, reply
        self.write(re.sub(rb"(?m)^\.", b"..", as_sent(content)) + b".\r\n")

    def send(self, sender: str, recipient: str, content: bytes) -> WireReply:
        """One whole transaction; the first reply that refuses, or that to the final dot."""
        reply = self.envelope(sender, recipient)
        if reply.code != 250:
            self.do("RSET")
            return reply
        self.hand_in(content)
        return self.read()

    def reset(self) -> None:
        """Vanish: RST instead of FIN."""
        linger = struct.pack("ii", 1, 0)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._socket.close()

    def quit(self) -> None:
        """Leave as one should."""
        self.do("QUIT")
        self.close()

    def close(self) -> None:
        """Leave without a word."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def as_sent(content: bytes) -> bytes:
    """`content` as SMTP can carry it: with a line end at its end."""
    return content if content.endswith(b"\r\n") else content + b"\r\n"


def mail(sender: str, *, message_id: str | None = None, subject: str = "News") -> bytes:
    """A small message; without `message_id` it has no Message-ID field."""
    fields = [f"From: Acme <{sender}>", "To: reader@example.org", f"Subject: {subject}"]
    fields += [f"Message-ID: <{message_id}>"] if message_id else []
    return "\r\n".join([*fields, "", "What is new.", ""]).encode()
