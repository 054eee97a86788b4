"""The pages as one ASGI application: `guard` (who, and from where), `body`, then a route below.

Errors are pages too. Everything under /dashboard and /static is answered here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from relay.concurrency.background import Background
from relay.core.errors import StoreTrouble
from relay.web.asgi import App, Receive, Scope, Send, Whole
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
from relay.web.dashboard.guard import Guard, with_headers
from relay.web.dashboard.listing import Listing
from relay.web.dashboard.rendering import HTML, error_page
from relay.web.heads import methods_at

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

NOT_FOUND: Final = "There is no such page."
"""In place of the two words of Starlette, where no route is found."""


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
    guarded: App = Body(Guard(app, desk.sign_in), MOST_BYTES, _refused)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith(PREFIX):
            await static(scope, receive, send)
        else:
            scope = {**scope, "path": scope["path"].rstrip("/") or "/"}
            await guarded(scope, receive, with_headers(send))

    return answer


def _refused(
    status: int, _title: str, told: str, headers: Mapping[str, str] | None = None
) -> Whole:
    """A form that is not read, as a page."""
    page = error_page(status, f"The form is not taken: {told}.")
    return replace(page, headers=headers or {})


async def _said(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code != 405:
        told = NOT_FOUND if error.detail == "Not Found" else str(error.detail)
        return _page(error.status_code, told)
    answer = _page(405, f"This address does not take {request.method}.")
    answer.headers["allow"] = methods_at(request.url.path, _ROUTES)
    return answer


async def _away(_request: Request, _error: Exception) -> Response:
    return _page(503, "The store does not answer; try again in a moment.")


async def _broken(_request: Request, error: Exception) -> Response:
    log.error("unexpected failure", exc_info=error)
    return _page(500, "Something went wrong inside the relay; its log says what.")


def _page(status: int, told: str) -> Response:
    return Response(error_page(status, told).body, status, media_type=HTML)
