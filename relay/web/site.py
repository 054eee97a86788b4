"""The whole of what the web process serves, in the order in which a request meets it.

/api: CORS (if any is allowed) → `heads` (HEAD is GET) → `door` (who, how often) → `body` (whole,
bounded) → `once` (Idempotency-Key) → `quick` (plain reads) → the routes of `api/`. /dashboard:
`dashboard/`. The rest: `forward`. Every answer gets the headers that keep a browser from making
more of it than it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from fastapi import Depends, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse
from fastapi.security import HTTPBearer
from starlette.middleware.cors import CORSMiddleware

from relay.core.config import WebConfig
from relay.ports.web import Answers
from relay.web.api import audit, domains, emails, problems, stream, warmup
from relay.web.api.desk import Desk
from relay.web.api.page import CONTENT_SECURITY, page
from relay.web.api.quick import Quick
from relay.web.api.schemas import Email, Problem
from relay.web.asgi import App, Message, Receive, Scope, Send, problem
from relay.web.body import Body
from relay.web.dashboard.app import is_page
from relay.web.door import Door
from relay.web.forward import Forward
from relay.web.heads import Heads
from relay.web.once import Once
from relay.web.ops import PATHS

TITLE: Final = "warmup-relay"
DESCRIPTION: Final = (
    "Every call needs a bearer token of `warmup-relay token create`. Errors are problem details "
    "(RFC 9457). A POST may carry an Idempotency-Key, which is remembered for a day."
)
OVERHEAD_BYTES: Final = 1_048_576
"""What JSON and base64 (a third more) may add to the largest message."""

_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
_ALLOWED: Final = ("authorization", "content-type", "idempotency-key", "if-match", "if-none-match")
_SHOWN: Final = ("etag", "retry-after", "idempotent-replayed")


@dataclass(frozen=True, slots=True)
class Site:
    """The ASGI application."""

    api: App
    forward: Forward
    pages: App

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        path, guarded = scope["path"], _guarded(send)
        if path == "/api" or path.startswith("/api/"):
            await self.api(scope, receive, guarded)
        elif path in PATHS:
            await self.forward(scope, receive, guarded)
        elif is_page(path):
            await self.pages(scope, receive, guarded)
        else:
            await problem(404, "Not Found", "there is nothing here; see /api/docs").send(guarded)


def api_app(desk: Desk, streams: stream.Streams, version: str) -> FastAPI:
    """The routes, and what they say of themselves."""
    # No redirect to a path without its last slash: it would go where the client's Host says.
    app = FastAPI(
        title=TITLE,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        redirect_slashes=False,
    )
    app.state.desk, app.state.streams = desk, streams
    bearer = [Depends(HTTPBearer(auto_error=False))]
    routers = [each.router for each in (warmup, domains, emails, audit, stream)]
    for each in routers:
        app.include_router(each, dependencies=bearer)

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app, version)
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]

    @app.get("/api/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        headers = {"content-security-policy": CONTENT_SECURITY}
        return HTMLResponse(page(app.openapi()), headers=headers)

    routes = [route for each in (app, *routers) for route in each.routes]
    problems.install(app, desk.clock, desk.owner_of, routes)
    return app


def _document(app: FastAPI, version: str) -> dict[str, Any]:
    document = get_openapi(title=TITLE, version=version, description=DESCRIPTION, routes=app.routes)
    template = "#/components/schemas/{model}"
    schemas = document["components"]["schemas"]
    for model in (Email, Problem):
        found = model.model_json_schema(ref_template=template)
        schemas.update(found.pop("$defs", {}))
        schemas[model.__name__] = found
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    return document


def site(
    desk: Desk,
    config: WebConfig,
    answers: Answers,
    forward: Forward,
    streams: stream.Streams,
    pages: App,
    version: str,
) -> Site:
    """The web of one process."""
    most_bytes = desk.limits.message_bytes * 4 // 3 + OVERHEAD_BYTES
    routes: App = api_app(desk, streams, version)
    inside: App = Body(Once(Quick(routes, desk), answers), most_bytes)
    api: App = Heads(Door(inside, desk.access, config.requests_per_minute))
    return Site(_with_cors(api, config.cors), forward, pages)


def _with_cors(api: App, origins: Sequence[str]) -> App:
    if not origins:
        return api
    return CORSMiddleware(
        api,
        allow_origins=origins,
        allow_methods=("GET", "POST", "PATCH", "DELETE"),
        allow_headers=_ALLOWED,
        expose_headers=_SHOWN,
    )


def _guarded(send: Send) -> Send:
    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            there = {name for name, _ in message["headers"]}
            added = [pair for pair in _HEADERS if pair[0] not in there]
            message = {**message, "headers": [*message["headers"], *added]}
        await send(message)

    return with_headers
