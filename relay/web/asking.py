"""GET from a process of the relay's own over its unix socket, within a deadline."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MOST_BYTES: Final = 64 * 1024 * 1024
"""More than any page of ours; a process that says more has gone wrong."""


class NoAnswer(Exception):
    """Nobody answers there, or not in time, or not in HTTP."""


@dataclass(frozen=True, slots=True)
class Response:
    """What was answered."""

    status: int
    body: bytes


async def asked(path: Path, target: str, deadline_s: float) -> Response:
    """GET `target` from the process that listens on `path`. Raises NoAnswer."""
    try:
        async with asyncio.timeout(deadline_s):
            return _parsed(await _exchanged(path, target))
    except (OSError, ValueError, IndexError) as error:  # TimeoutError is an OSError
        raise NoAnswer(str(error) or type(error).__name__) from error


async def _exchanged(path: Path, target: str) -> bytes:
    reader, writer = await asyncio.open_unix_connection(str(path))
    try:
        # HTTP/1.0: the answer ends with the connection (RFC 9112 section 6.3).
        writer.write(f"GET {target} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        return await _to_its_end(reader)
    finally:
        writer.close()


async def _to_its_end(reader: asyncio.StreamReader) -> bytes:
    """All of it, up to MOST_BYTES: one `read` may have the head alone."""
    answer = bytearray()
    while len(answer) < MOST_BYTES and (more := await reader.read(MOST_BYTES - len(answer))):
        answer += more
    return bytes(answer)


def _parsed(answer: bytes) -> Response:
    head, separator, body = answer.partition(b"\r\n\r\n")
    if not separator:
        raise ValueError("the answer broke off")
    return Response(int(head.split(b" ", 2)[1]), body)
