"""The body of a request: read whole, within a size and a time, before a route sees it.

Puts it into `scope["state"]["body"]` and plays it back to whoever asks ASGI for it; what comes
after it (the client hanging up) goes through.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from relay.web.asgi import App, Message, Receive, Scope, Send, Whole, header, problem

WITHIN_S: Final = 60.0
"""How long a body may take to come in."""


BIG_BYTES: Final = 1_048_576
MOST_BIG: Final = 8
"""How many requests with a body above BIG_BYTES, or of unknown length, are held at once."""


class _TooBig(Exception):
    pass


class _Gone(Exception):
    pass


@dataclass(frozen=True, slots=True)
class Body:
    """ASGI middleware. `most_bytes` is the longest body. GET has none: it is not read.

    `refused` makes the answer to a body that is not taken.
    """

    inside: App
    most_bytes: int
    refused: Callable[..., Whole] = problem
    big: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MOST_BIG))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body, then ask what is inside."""
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD"}:
            await self.inside(scope, receive, send)
        elif (header(scope, b"content-encoding") or "identity").lower() != "identity":
            told = "send the body as it is, without Content-Encoding"
            await self.refused(415, "Unsupported Media Type", told).send(send)
        elif not _is_big(scope):
            await self._whole(scope, receive, send)
        elif self.big.locked():
            told = "too many large requests at once; try again later"
            await self.refused(503, "Service Unavailable", told, {"retry-after": "5"}).send(send)
        else:
            async with self.big:
                await self._whole(scope, receive, send)

    async def _whole(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with asyncio.timeout(WITHIN_S):
                body = await self._read(scope, receive)
        except TimeoutError:
            answer = self.refused(
                408, "Request Timeout", f"the body took longer than {WITHIN_S:g} s"
            )
        except _TooBig:
            answer = self.refused(
                413, "Content Too Large", f"a body is at most {self.most_bytes} bytes"
            )
        except _Gone:
            return
        else:
            scope.setdefault("state", {})["body"] = body
            await self.inside(scope, _played_back(body, receive), send)
            return
        await answer.send(send)

    async def _read(self, scope: Scope, receive: Receive) -> bytes:
        told = header(scope, b"content-length") or "0"
        if told.isdigit() and int(told) > self.most_bytes:
            raise _TooBig
        chunks, size, more = [], 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _Gone
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
            if size > self.most_bytes:
                raise _TooBig
            more = message.get("more_body", False)
        return b"".join(chunks)


def _is_big(scope: Scope) -> bool:
    told = header(scope, b"content-length")
    if told is None:
        return header(scope, b"transfer-encoding") is not None
    return not told.isdigit() or int(told) > BIG_BYTES


def _played_back(body: bytes, receive: Receive) -> Receive:
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again
