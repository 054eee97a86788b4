"""The questions that programs poll, in their plain form, without FastAPI's way to a route.

That way (matching, dependencies, parameters, middlewares of its own) costs more than the answer.
Whatever is not plain goes inside, to the routes, where everything is declared and checked; what is
plain needs no check. Both ask the same functions, and tests hold the answers of both against each
other.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Final

from fastapi import Response

from relay.core.tenants.access import ApiToken
from relay.core.tenants.access import Scope as Allowed
from relay.web.api import audit, warmup
from relay.web.api.desk import Desk
from relay.web.api.problems import answer_to, problem_from
from relay.web.asgi import App, Receive, Scope, Send

_STATUS: Final = "/api/warmup/status/"
_ROUTES: Final = "/api/warmup"
_AUDIT: Final = "/api/audit"
_ID: Final = re.compile(r"[a-z0-9.@_-]{1,300}")
_LIMIT: Final = re.compile(rb"limit=([1-9][0-9]?|1[0-9][0-9]|200)")
_USUAL: Final = {_ROUTES: warmup.LIMIT, _AUDIT: audit.LIMIT}


@dataclass(frozen=True, slots=True)
class Quick:
    """ASGI application before the routes, behind the door."""

    inside: App
    desk: Desk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a plain question; whatever else is asked goes inside."""
        asked = self._asked(scope) if scope["method"] == "GET" else None
        if asked is None:
            await self.inside(scope, receive, send)
            return
        try:
            answer = await asked
        except Exception as error:  # noqa: BLE001  as FastAPI does; it is logged there
            answer = answer_to(problem_from(error))
        await answer(scope, receive, send)

    def _asked(self, scope: Scope) -> Awaitable[Response] | None:
        path: str = scope["path"]
        if path.startswith(_STATUS):
            name = path[len(_STATUS) :]
            if scope["query_string"] or not _ID.fullmatch(name) or not _may_read(scope):
                return None
            return warmup.told(self.desk, _bearer(scope), name, scope)
        limit = _limit(scope["query_string"], _USUAL[path]) if path in _USUAL else None
        if limit is None or not _may_read(scope):
            return None
        if path == _AUDIT:
            return audit.listed(self.desk, _bearer(scope), audit.Wanted(limit=limit))
        return warmup.listed(self.desk, _bearer(scope), warmup.Wanted(limit=limit), scope)


def _limit(query: bytes, usual: int) -> int | None:
    """The limit that is asked for; None where something else is asked too, or it is none."""
    if not query:
        return usual
    found = _LIMIT.fullmatch(query)
    return int(found[1]) if found else None


def _bearer(scope: Scope) -> ApiToken:
    bearer: ApiToken = scope["state"]["bearer"]
    return bearer


def _may_read(scope: Scope) -> bool:
    return _bearer(scope).may(Allowed.READ)
