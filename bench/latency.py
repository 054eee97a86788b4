"""Latency at low load: one session, TCP_NODELAY, so many messages a second."""

from __future__ import annotations

import base64
import socket
import time
import uuid
from dataclasses import dataclass

from bench.peers.system import DOMAIN
from bench.wire import RECIPIENT

RATE_A_S = 13
TIMEOUT_S = 30
SIZE_BYTES = 10_240


@dataclass(frozen=True, slots=True)
class Latency:
    """From MAIL to the answer to the final dot, in milliseconds."""

    p50_ms: float
    p99_ms: float


def measure(port: int, seconds: float, login: tuple[str, str] | None) -> Latency:
    """Send for so long. Raises AssertionError at any answer but the one wished for."""
    took_ms = []
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        session = _Session(connection, login)
        began = time.perf_counter()
        for number in range(int(seconds * RATE_A_S)):
            time.sleep(max(0.0, began + number / RATE_A_S - time.perf_counter()))
            start = time.perf_counter()
            session.message()
            took_ms.append((time.perf_counter() - start) * 1000)
    took_ms.sort()
    return Latency(took_ms[len(took_ms) // 2], took_ms[int(len(took_ms) * 0.99)])


class _Session:
    def __init__(self, connection: socket.socket, login: tuple[str, str] | None) -> None:
        self._connection = connection
        self._file = connection.makefile("rb")
        self._expect(220)
        self._do("EHLO client.acme.example", 250)
        if login:
            token = base64.b64encode("\0{}\0{}".format(*login).encode()).decode()
            self._do(f"AUTH PLAIN {token}", 235)

    def message(self) -> None:
        self._do(f"MAIL FROM:<a@{DOMAIN}>", 250)
        self._do(f"RCPT TO:<{RECIPIENT}>", 250)
        self._do("DATA", 354)
        self._connection.sendall(_content() + b".\r\n")
        self._expect(250)

    def _do(self, command: str, code: int) -> None:
        self._connection.sendall(command.encode() + b"\r\n")
        self._expect(code)

    def _expect(self, code: int) -> None:
        while (line := self._file.readline())[3:4] == b"-":
            pass
        assert line[:3] == b"%d" % code, line


def _content() -> bytes:
    head = (
        f"From: Acme <a@{DOMAIN}>\r\nTo: {RECIPIENT}\r\nSubject: News\r\n"
        "Date: Sun, 01 Mar 2026 12:00:00 +0000\r\n"
        f"Message-ID: <{uuid.uuid4().hex}@{DOMAIN}>\r\n\r\n"
    ).encode()
    line = b"What is new, in a line of seventy characters that says nothing at all.\r\n"
    return head + line * ((SIZE_BYTES - len(head)) // len(line))
