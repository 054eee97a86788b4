"""/metrics, /healthz and /readyz as one small ASGI application.

`/healthz` says that the process serves; `/readyz` says whether it could take a message now,
and names what is in the way. Neither needs a token: they tell no addresses and no secrets.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final, Protocol

from relay.web.asgi import Receive, Scope, Send, Whole, problem

METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
JSON_TYPE: Final = "application/json"
PATHS: Final = frozenset({"/metrics", "/healthz", "/readyz"})


@dataclass(frozen=True, slots=True)
class Readiness:
    """`ready` decides the status code; `checks` names each part and "ok" or what is wrong."""

    ready: bool
    checks: dict[str, str]
    simulated_clock: str | None = None


class Vitals(Protocol):
    """What the relay tells of itself."""

    async def metrics(self) -> bytes:
        """The exposition; never fails: a store that is away is a metric."""

    async def readiness(self) -> Readiness:
        """Store, upstreams and listeners, asked within a bounded time."""


class Ops:
    """The ASGI application."""

    def __init__(self, vitals: Vitals) -> None:
        self._vitals = vitals

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3); whatever body it has is not read."""
        if scope["type"] != "http":
            return
        answer = await self._answer(scope["method"], scope["path"])
        await answer.send(send)  # the server leaves the body of HEAD out

    async def _answer(self, method: str, path: str) -> Whole:
        if path not in PATHS:
            return problem(404, "Not Found", "here are /metrics, /healthz and /readyz")
        if method not in {"GET", "HEAD"}:
            return problem(405, "Method Not Allowed", "GET or HEAD", {"allow": "GET, HEAD"})
        if path == "/metrics":
            return Whole(200, METRICS_TYPE, await self._vitals.metrics(), {})
        if path == "/healthz":
            return _json(200, {"status": "ok"})
        return _readiness(await self._vitals.readiness())


def _readiness(found: Readiness) -> Whole:
    told: dict[str, Any] = {"status": "ready" if found.ready else "not ready"}
    told["checks"] = found.checks
    if found.simulated_clock:
        told["simulated_clock"] = found.simulated_clock
    return _json(200 if found.ready else 503, told)


def _json(status: int, content: dict[str, Any]) -> Whole:
    return Whole(status, JSON_TYPE, json.dumps(content).encode() + b"\n", {})
