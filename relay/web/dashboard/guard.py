"""Who may see a page, and whether a form comes from one: sessions, CSRF, headers.

The session's cookie is HttpOnly and SameSite=Lax, and Secure where the browser speaks TLS
(to a proxy before us, which says so). Every POST needs the session's token in the form or in
the header that htmx sends, and may not come from another site.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs, quote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from relay.core.errors import StoreTrouble
from relay.core.tenants.users import Viewer
from relay.ports.pages import SignIn
from relay.web.asgi import App, Message, Receive, Scope, Send, Whole, header
from relay.web.dashboard.rendering import error_page

COOKIE: Final = "wr_session"
OPEN: Final = frozenset({"/dashboard/sign-in"})
CSRF_HEADER: Final = b"x-csrf-token"
CSRF_FIELD: Final = "csrf"

_COOKIE: Final = re.compile(r"(?:^|;)\s*([a-z_]+)=([^;\s]*)")
_CONTENT_SECURITY: Final = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    b"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = (
    (b"content-security-policy", _CONTENT_SECURITY),
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"same-origin"),  # no-referrer would make the Origin of forms "null"
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
)


@dataclass(frozen=True, slots=True)
class Guard:
    """ASGI middleware before every page but the static files."""

    inside: App
    sign_in: SignIn

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let in, send to the sign-in page, or refuse."""
        try:
            text = cookies(scope).get(COOKIE, "")
            viewer = await self.sign_in.viewer(text) if text else None
        except StoreTrouble:
            await error_page(503, "The store does not answer; try again in a moment.").send(send)
            return
        scope.setdefault("state", {})["viewer"] = viewer
        if scope["path"] not in OPEN and viewer is None:
            await _to_sign_in(scope).send(send)
        elif scope["method"] not in {"GET", "HEAD"} and not _is_ours(scope, viewer):
            told = "This form is out of date, or comes from elsewhere. Go back and load it again."
            await error_page(403, told).send(send)
        else:
            await self.inside(scope, receive, send)


def cookies(scope: Scope) -> dict[str, str]:
    """The cookies of a request."""
    return dict(_COOKIE.findall(header(scope, b"cookie") or ""))


def zone_of(scope: Scope) -> ZoneInfo:
    """The viewer's zone, of which their browser tells us by a cookie; else UTC."""
    name = cookies(scope).get("wr_zone", "UTC").replace("%2F", "/")
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def with_headers(send: Send) -> Send:
    """`send`, adding what keeps a page to itself."""

    async def adding(message: Message) -> None:
        if message["type"] == "http.response.start":
            there = {name for name, _ in message["headers"]}
            added = [pair for pair in _HEADERS if pair[0] not in there]
            message = {**message, "headers": [*message["headers"], *added]}
        await send(message)

    return adding


def _to_sign_in(scope: Scope) -> Whole:
    is_page = scope["method"] == "GET" and header(scope, b"hx-request") is None
    back = f"?next={quote(scope['path'], safe='')}" if is_page else ""
    where = f"/dashboard/sign-in{back}"
    if header(scope, b"hx-request") is not None:
        return Whole(401, "text/plain", b"signed out", {"hx-redirect": where})
    return Whole(303, "text/plain", b"", {"location": where})


def _is_ours(scope: Scope, viewer: Viewer | None) -> bool:
    if not _is_same_site(scope):
        return False
    if viewer is None:
        return True  # the sign-in form checks a cookie of its own
    body: bytes = scope["state"]["body"]
    given = header(scope, CSRF_HEADER) or _field(body)
    return hmac.compare_digest(given.encode(), viewer.csrf.encode())


def _field(body: bytes) -> str:
    try:
        found = parse_qs(body.decode("ascii"), max_num_fields=100).get(CSRF_FIELD, [""])
    except ValueError:
        return ""
    return found[-1]


def _is_same_site(scope: Scope) -> bool:
    """As the browser says. One that says nothing names the origin, which is to be our host."""
    site = header(scope, b"sec-fetch-site")
    if site is not None:
        return site in {"same-origin", "none"}
    origin = header(scope, b"origin")
    return origin is None or origin.partition("://")[2] == (header(scope, b"host") or "")
