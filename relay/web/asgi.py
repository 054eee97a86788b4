"""The words of ASGI 3 that the web's middlewares share, and one whole answer."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Final

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

PROBLEM_TYPE: Final = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Whole:
    """One HTTP response, as a value."""

    status: int
    content_type: str
    body: bytes
    headers: Mapping[str, str]

    async def send(self, send: Send) -> None:
        """Write it."""
        headers = {"content-type": self.content_type, "content-length": str(len(self.body))}
        headers |= {"cache-control": "no-store", **self.headers}
        raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": self.status, "headers": raw})
        await send({"type": "http.response.body", "body": self.body})


def header(scope: Scope, name: bytes) -> str | None:
    """The last header field called `name` (lower case), if there is one."""
    found = [value for key, value in scope["headers"] if key == name]
    return found[-1].decode("latin-1") if found else None


def problem(
    status: int, title: str, detail: str, headers: Mapping[str, str] | None = None, **more: Any
) -> Whole:
    """Problem details (RFC 9457) of the type about:blank."""
    told = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
    return Whole(status, PROBLEM_TYPE, json.dumps(told).encode(), headers or {})
