"""/metrics, /healthz and /readyz of the relay beside this process, passed on as they are.

The relay answers them on an address or a socket of its own; where none serves, this process
speaks for itself. A process that no relay counts in its own /metrics has some of its own.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from relay.web.asgi import Receive, Scope, Send, Whole, problem
from relay.web.ops import METRICS_TYPE

PATHS: Final = frozenset({"/metrics", "/healthz", "/readyz"})
WITHIN_S: Final = 10.0
MOST_BYTES: Final = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Forward:
    """ASGI application. `where` gives `host:port`, `unix:PATH` or None at each request.

    `counted` is the exposition of this process; without it /metrics is the relay's.
    """

    where: Callable[[], str | None]
    ping: Callable[[], Awaitable[bool]]
    counted: Callable[[], Awaitable[bytes]] | None = None

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["method"] not in {"GET", "HEAD"}:
            answer = problem(405, "Method Not Allowed", "GET or HEAD", {"allow": "GET, HEAD"})
        else:
            answer = await self._answer(scope["path"])
        await answer.send(send)  # the server leaves the body of HEAD out

    async def _answer(self, path: str) -> Whole:
        if path == "/metrics" and self.counted:
            return Whole(200, METRICS_TYPE, await self.counted(), {})
        where = self.where()
        if where is None:
            return await self._own(path)
        try:
            async with asyncio.timeout(WITHIN_S):
                return await _fetched(where, path)
        except (OSError, ValueError, TimeoutError, asyncio.IncompleteReadError):
            return problem(503, "Service Unavailable", "the relay does not answer")

    async def _own(self, path: str) -> Whole:
        if path == "/metrics":
            return problem(503, "Service Unavailable", "no relay serves beside this process")
        is_up = path == "/healthz" or await self.ping()
        told = json.dumps({"status": "ok" if is_up else "not ready", "relay": "none beside it"})
        return Whole(200 if is_up else 503, "application/json", told.encode() + b"\n", {})


async def _fetched(where: str, path: str) -> Whole:
    """GET `path` there (RFC 9112; closed by the other side at its end)."""
    reader, writer = await _connected(where)
    try:
        asked = f"GET {path} HTTP/1.1\r\nHost: relay\r\nConnection: close\r\n\r\n"
        writer.write(asked.encode())
        await writer.drain()
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        fields = dict(_field(line) for line in lines if line)
        size = int(fields["content-length"])
        if not 0 <= size <= MOST_BYTES:
            raise ValueError(size)
        body = await reader.readexactly(size)
        return Whole(int(first.split(" ")[1]), fields["content-type"], body, {})
    except (IndexError, KeyError) as error:
        raise ValueError("no HTTP answer") from error
    finally:
        writer.close()


def _field(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.lower(), value.strip()


async def _connected(where: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if where.startswith("unix:"):
        return await asyncio.open_unix_connection(where.removeprefix("unix:"))
    host, _, port = where.rpartition(":")
    return await asyncio.open_connection(host.strip("[]"), int(port))
