"""GET from another process of the relay, over its unix socket or its port, within a deadline."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

MOST_BYTES: Final = 64 * 1024 * 1024
"""More than any page of ours; a process that says more has gone wrong."""


class NoAnswer(Exception):
    """Nobody answers there, or not in time, or not in HTTP, or not to its end."""


@dataclass(frozen=True, slots=True)
class Response:
    """What was answered."""

    status: int
    content_type: str
    body: bytes


async def asked(where: str, target: str, deadline_s: float) -> Response:
    """GET `target` from the process at `where`: `host:port`, or `unix:PATH`. Raises NoAnswer."""
    try:
        async with asyncio.timeout(deadline_s):
            return _parsed(await _exchanged(where, target))
    except (OSError, ValueError, IndexError) as error:  # TimeoutError is an OSError
        raise NoAnswer(str(error) or type(error).__name__) from error


async def _exchanged(where: str, target: str) -> bytes:
    reader, writer = await _connected(where)
    try:
        # HTTP/1.0: the answer ends with the connection (RFC 9112 section 6.3).
        writer.write(f"GET {target} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        return await _to_its_end(reader)
    finally:
        writer.close()


async def _connected(where: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if where.startswith("unix:"):
        return await asyncio.open_unix_connection(where.removeprefix("unix:"))
    host, _, port = where.rpartition(":")
    return await asyncio.open_connection(host.strip("[]"), int(port))


async def _to_its_end(reader: asyncio.StreamReader) -> bytes:
    """All of it, up to MOST_BYTES: one `read` may have the head alone."""
    answer = bytearray()
    while len(answer) < MOST_BYTES and (more := await reader.read(MOST_BYTES - len(answer))):
        answer += more
    return bytes(answer)


def _parsed(answer: bytes) -> Response:
    head, separator, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    fields = dict(map(_field, lines))
    if not separator or len(body) != int(fields.get("content-length", len(body))):
        raise ValueError("the answer broke off")
    return Response(int(first.split(" ", 2)[1]), fields.get("content-type", ""), body)


def _field(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.lower(), value.strip()
