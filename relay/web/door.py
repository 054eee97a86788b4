"""The door of the API: who asks, and how often. Nobody's body is read before.

Puts the bearer into `scope["state"]["bearer"]`; what a scope allows is asked by the routes.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Final

from relay.core.errors import StoreTrouble
from relay.core.tenants.access import ApiToken
from relay.ports.web import Access
from relay.web.asgi import App, Receive, Scope, Send, Whole, header, problem

OPEN: Final = frozenset({"/api/docs", "/api/openapi.json"})
"""What anybody may read."""

_BURST_SHARE: Final = 6
AWAY: Final = problem(
    503, "Store Trouble", "the store does not answer; try again later", {"retry-after": "5"}
)


@dataclass(frozen=True, slots=True)
class Door:
    """ASGI middleware before everything below /api."""

    inside: App
    access: Access
    per_minute: int

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let in, or answer at the door."""
        if scope["type"] != "http" or (scope["path"] in OPEN and scope["method"] == "GET"):
            await self.inside(scope, receive, send)
            return
        try:
            found = await self._bearer(scope)
        except StoreTrouble:
            found = AWAY
        if isinstance(found, Whole):
            await found.send(send)
            return
        scope.setdefault("state", {})["bearer"] = found
        await self.inside(scope, receive, send)

    async def _bearer(self, scope: Scope) -> ApiToken | Whole:
        kind, _, text = (header(scope, b"authorization") or "").partition(" ")
        if kind.lower() != "bearer":
            return _unauthorized(has_tried=bool(kind))
        burst = max(1, self.per_minute // _BURST_SHARE)
        found = await self.access.admitted(text.strip(), self.per_minute, burst)
        if found is None:
            return _unauthorized(has_tried=True)
        token, wait_s = found
        return _too_often(wait_s, self.per_minute) if wait_s else token


def _unauthorized(*, has_tried: bool) -> Whole:
    # RFC 6750 §3.1: no error code where no credentials were given.
    challenge = 'Bearer error="invalid_token"' if has_tried else "Bearer"
    told = "the token is unknown, revoked or expired" if has_tried else "a bearer token is needed"
    return problem(401, "Unauthorized", told, {"www-authenticate": challenge})


def _too_often(wait_s: float, per_minute: int) -> Whole:
    told = f"more than {per_minute} requests a minute with this token"
    return problem(
        429, "Too Many Requests", told, {"retry-after": str(ceil(wait_s))}, name="rate_limit"
    )
