"""The pages as one ASGI application: `guard` (who, and from where), `body`, then a route below.

Errors are pages too. Everything under /dashboard and /static is answered here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from relay.concurrency.background import Background
from relay.core.errors import StoreTrouble
from relay.web.asgi import App, Receive, Scope, Send
from relay.web.body import Body
from relay.web.dashboard import (
    audit_page,
    branding,
    connecting,
    domain_pages,
    pages,
    policy_pages,
    route_page,
    send_test,
    signing,
    token_pages,
)
from relay.web.dashboard.desk import PagesDesk
from relay.web.dashboard.files import PREFIX, static
from relay.web.dashboard.guard import Guard
from relay.web.dashboard.listing import Listing
from relay.web.dashboard.rendering import HTML, error_page

log = logging.getLogger(__name__)

MOST_BYTES: Final = 1_048_576
"""The longest form: a policy, or a test message."""

_ROUTES: Final = (
    Route("/", pages.home),
    Route("/dashboard", pages.home),
    Route("/dashboard/sign-in", signing.show),
    Route("/dashboard/sign-in", signing.sign_in, methods=["POST"]),
    Route("/dashboard/sign-out", signing.sign_out, methods=["POST"]),
    Route("/dashboard/warmup", pages.warmup),
    Route("/dashboard/warmup/{id}", route_page.show),
    Route("/dashboard/warmup/{id}/live", route_page.live),
    Route("/dashboard/warmup/{id}/{verb}", route_page.change, methods=["POST"]),
    Route("/dashboard/domains", domain_pages.show),
    Route("/dashboard/domains", domain_pages.add, methods=["POST"]),
    Route("/dashboard/domains/{name}", domain_pages.one),
    Route("/dashboard/domains/{name}/{verb}", domain_pages.change, methods=["POST"]),
    Route("/dashboard/policies", policy_pages.show),
    Route("/dashboard/policies/{name}/edit", policy_pages.edit),
    Route("/dashboard/policies/{name}/check", policy_pages.check, methods=["POST"]),
    Route("/dashboard/policies/{name}/save", policy_pages.save, methods=["POST"]),
    Route("/dashboard/send-test", send_test.show),
    Route("/dashboard/send-test", send_test.send, methods=["POST"]),
    Route("/dashboard/tokens", token_pages.show),
    Route("/dashboard/tokens", token_pages.create, methods=["POST"]),
    Route("/dashboard/tokens/{id}/revoke", token_pages.ask),
    Route("/dashboard/tokens/{id}/revoke", token_pages.revoke, methods=["POST"]),
    Route("/dashboard/audit", audit_page.show),
    Route("/dashboard/connect", connecting.show),
    Route("/dashboard/brand.css", branding.style),
    Route("/dashboard/brand-logo", branding.logo),
)

_UNSAID: Final = {
    "Not Found": "There is no such page.",
    "Method Not Allowed": "That cannot be done with this page.",
}
"""Sentences for what Starlette refuses by itself, in two words."""


def is_page(path: str) -> bool:
    """Whether `path` is answered here."""
    return path in {"/", "/dashboard"} or path.startswith(("/dashboard/", PREFIX))


def pages_app(desk: PagesDesk, simulated: Callable[[], str | None], background: Background) -> App:
    """The application. `simulated` tells of a clock that is not the real one."""
    app = Starlette(
        routes=_ROUTES,
        exception_handlers={
            HTTPException: _said,
            StoreTrouble: _away,
            Exception: _broken,
        },
    )
    # A last slash is left out: a redirect to the path without it would go where Host says.
    app.router.redirect_slashes = False
    app.state.desk, app.state.simulated, app.state.listing = desk, simulated, Listing(background)
    # The body is read before the guard, which looks for the token of the form in it.
    guarded: App = Body(Guard(app, desk.sign_in), MOST_BYTES)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith(PREFIX):
            await static(scope, receive, send)
        else:
            await guarded({**scope, "path": scope["path"].rstrip("/") or "/"}, receive, send)

    return answer


async def _said(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    told = _UNSAID.get(error.detail, error.detail)
    return _page(error.status_code, told)


async def _away(_request: Request, _error: Exception) -> Response:
    return _page(503, "The store does not answer; try again in a moment.")


async def _broken(_request: Request, error: Exception) -> Response:
    log.error("unexpected failure", exc_info=error)
    return _page(500, "Something went wrong inside the relay; its log says what.")


def _page(status: int, told: str) -> Response:
    return Response(error_page(status, told).body, status, media_type=HTML)
