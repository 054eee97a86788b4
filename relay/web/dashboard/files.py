"""/static: the few files that pages link to, read once, kept by browsers for ever.

Only what is in the list below exists; a path is looked up, never opened.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from relay.web.asgi import Receive, Scope, Send, Whole, problem
from relay.web.dashboard.rendering import STATIC

KINDS: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
PREFIX: Final = "/static/"


@cache
def _files() -> dict[str, tuple[str, bytes]]:
    return {
        path.relative_to(STATIC).as_posix(): (KINDS[path.suffix], path.read_bytes())
        for path in STATIC.rglob("*")
        if path.suffix in KINDS
    }


async def static(scope: Scope, _receive: Receive, send: Send) -> None:
    """ASGI application: answer one request."""
    found = _files().get(scope["path"].removeprefix(PREFIX))
    if found is None or scope["method"] not in {"GET", "HEAD"}:
        await problem(404, "Not Found", "there is no such file").send(send)
        return
    forever = {"cache-control": "public, max-age=31536000, immutable"}
    await Whole(200, *found, forever).send(send)
