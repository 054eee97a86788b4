"""/metrics, /healthz and /readyz of the relay beside this process, passed on as they are.

The relay answers them on an address or a socket of its own; where none serves, this process
speaks for itself. A process that no relay counts in its own /metrics has some of its own.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from relay.web.asgi import Receive, Scope, Send, Whole, problem
from relay.web.asking import NoAnswer, asked
from relay.web.ops import METRICS_TYPE

WITHIN_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Forward:
    """ASGI application. `where` is where to ask (`asking.asked`), or None, at each request.

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
            found = await asked(where, path, WITHIN_S)
        except NoAnswer:
            return problem(503, "Service Unavailable", "the relay does not answer")
        return Whole(found.status, found.content_type, found.body, {})

    async def _own(self, path: str) -> Whole:
        if path == "/metrics":
            return problem(503, "Service Unavailable", "no relay serves beside this process")
        is_up = path == "/healthz" or await self.ping()
        told = json.dumps({"status": "ok" if is_up else "not ready", "relay": "none beside it"})
        return Whole(200 if is_up else 503, "application/json", told.encode() + b"\n", {})
