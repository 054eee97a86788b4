"""HEAD wherever there is GET (RFC 9110 §9.3.2), for the routes of the API, which know only GET.

The server leaves the body out. The stream is not asked so: its answer would go on for an hour.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from starlette.routing import BaseRoute, Route

from relay.web.asgi import App, Message, Receive, Scope, Send

NOT_HERE: Final = frozenset({"/api/stream"})


def methods_at(path: str, routes: Iterable[BaseRoute]) -> str:
    """What an address takes, for Allow (RFC 9110 §15.5.6): a method may be a route of its own."""
    there = [each for each in routes if isinstance(each, Route) and each.path_regex.match(path)]
    return ", ".join(sorted({method for route in there for method in route.methods or ()}))


@dataclass(frozen=True, slots=True)
class Heads:
    """ASGI middleware."""

    inside: App

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer HEAD as GET, and have 405 name it."""
        if scope["type"] != "http" or scope["path"] in NOT_HERE:
            await self.inside(scope, receive, send)
            return
        asked = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope
        await self.inside(asked, receive, _naming_head(send))


def _naming_head(send: Send) -> Send:
    async def named(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] == 405:
            pairs = [(name, _with_head(value, name)) for name, value in message["headers"]]
            message = {**message, "headers": pairs}
        await send(message)

    return named


def _with_head(value: bytes, name: bytes) -> bytes:
    methods = {each.strip() for each in value.split(b",")}
    if name.lower() != b"allow" or b"GET" not in methods:
        return value
    return b", ".join(sorted({*methods, b"HEAD"}))
