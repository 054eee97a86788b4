"""`/dashboard/tokens`: the tokens of the HTTP API: listed, made (shown once), revoked.

Operators see those of every tenant; whoever belongs to a tenant sees and makes those of their
own. What the command line does to tokens goes the same way (`ports.pages.Tokens`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from relay.core.tenants.access import MOST_TOKEN_NAME, ApiToken, BadGrant, Scope
from relay.core.tenants.users import Viewer
from relay.web.dashboard.desk import PagesDesk, desk_of, form_of, viewer_of
from relay.web.dashboard.framing import page
from relay.web.dashboard.paging import Part, page_number, part_of

OF_TENANTS: Final = (Scope.READ, Scope.SEND, Scope.MANAGE)
ALLOWS: Final = {
    Scope.READ: "see routes, the audit log and live counters",
    Scope.SEND: "send mail from the tenant’s domains",
    Scope.MANAGE: "read; start, pause, resume, graduate, restart routes; add and change domains",
}
DAY_S: Final = 86_400.0
LIVES: Final = {"7": "7 days", "30": "30 days", "90": "90 days", "365": "a year", "": "for ever"}
"""Days that a token may live, as the form has them, and their names."""

GIVEN: Final = {"name": "", "tenant": "", "days": "90", **{scope.value: "" for scope in OF_TENANTS}}


@dataclass(frozen=True, slots=True)
class Made:
    """A new token, and the text of it, which is shown once."""

    token: ApiToken
    text: str


async def show(request: Request) -> Response:
    """The list, and the form for another one."""
    return await _shown(request, dict(GIVEN), said=_said(request))


async def create(request: Request) -> Response:
    """Make a token; the answer is the only page that will ever show it."""
    desk, viewer, form = desk_of(request), viewer_of(request), form_of(request)
    given = {name: form.get(name, "") for name in GIVEN}
    try:
        tenant, scopes, lives_s = _grant(desk, viewer, given)
        name = given["name"].strip()
        made = await desk.tokens.create(tenant, scopes, name, lives_s, actor=viewer.actor)
    except BadGrant as wrong:
        return await _shown(request, given, wrong=f"No token was made: {wrong}.", status=422)
    return await _shown(request, dict(GIVEN), made=Made(*made))


def _grant(
    desk: PagesDesk, viewer: Viewer, given: dict[str, str]
) -> tuple[str | None, frozenset[Scope], float | None]:
    """Tenant, scopes and seconds to live. Raises BadGrant."""
    tenant = viewer.tenant or given["tenant"] or None
    if tenant is not None and tenant not in desk.directory.tenants:
        raise BadGrant("there is no such tenant")
    if given["days"] not in LIVES:
        raise BadGrant("choose how long it lives")
    scopes = frozenset(scope for scope in OF_TENANTS if given[scope.value])
    if tenant is None and scopes:
        raise BadGrant("one for all tenants has the scope operator, and no other")
    lives_s = DAY_S * int(given["days"]) if given["days"] else None
    return tenant, scopes if tenant else frozenset({Scope.OPERATOR}), lives_s


async def ask(request: Request) -> Response:
    """What would be revoked: whoever means it types its name."""
    return page(request, "token_revoke.html", "tokens", token=await _token(request), wrong="")


async def revoke(request: Request) -> Response:
    """End a token."""
    desk, viewer, token = desk_of(request), viewer_of(request), await _token(request)
    if form_of(request).get("typed", "").strip().lower() != typed_for(token):
        told = f"Nothing was done: to revoke it, type {typed_for(token)}."
        answer = page(request, "token_revoke.html", "tokens", token=token, wrong=told)
        answer.status_code = 422
        return answer
    is_done = await desk.tokens.revoke(token.id, actor=viewer.actor)
    return RedirectResponse(f"/dashboard/tokens?{'revoked' if is_done else 'gone'}=1", 303)


def typed_for(token: ApiToken) -> str:
    """What is typed to revoke it, in lower case: its name, or its id if it has none."""
    return token.name.strip().lower() or token.id


async def _token(request: Request) -> ApiToken:
    """The token of the path. Raises HTTPException (404)."""
    wanted = request.path_params["id"]
    for each in await _visible(request):
        if each.id == wanted:
            return each
    raise HTTPException(404, "There is no such token: it was revoked, or is not yours to see.")


async def _visible(request: Request) -> list[ApiToken]:
    """Those that the viewer may see, the newest first."""
    viewer = viewer_of(request)
    found = await desk_of(request).tokens.tokens()
    return [each for each in found[::-1] if viewer.is_operator or each.tenant == viewer.tenant]


def _said(request: Request) -> str:
    if "revoked" in request.query_params:
        return "The token is revoked: it is refused from now on."
    return "The token had been revoked already." if "gone" in request.query_params else ""


async def _shown(
    request: Request,
    given: dict[str, str],
    *,
    made: Made | None = None,
    wrong: str = "",
    said: str = "",
    status: int = 200,
) -> Response:
    number = page_number(request.query_params.get("page", "1"))
    found: Part[ApiToken] = part_of(await _visible(request), number)
    answer = page(
        request,
        "tokens.html",
        "tokens",
        **_choices(desk_of(request).directory.tenants, given),
        found=found,
        made=made,
        wrong=wrong,
        said=said,
    )
    answer.status_code = status
    return answer


def _choices(tenants: Iterable[str], given: dict[str, str]) -> dict[str, Any]:
    """What the form offers, and what was given."""
    return {
        "tenants": sorted(tenants),
        "scopes": [(scope.value, ALLOWS[scope]) for scope in OF_TENANTS],
        "lives": LIVES,
        "most_name": MOST_TOKEN_NAME,
        "given": given,
    }
