"""`/api/warmup`: the routes, and what is done to them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response

from relay.core.quota.changes import Verb
from relay.core.quota.standing import State
from relay.core.tenants.access import ApiToken
from relay.core.tenants.tenancy import Route
from relay.web.api.declared import answers
from relay.web.api.desk import Changer, Desk, Reader, TheDesk
from relay.web.api.problems import Problem
from relay.web.api.schemas import RoutePage, RouteStatus, Start, Why
from relay.web.api.tags import JSON, told_once
from relay.web.api.told import page_of, text_of
from relay.web.asgi import Scope

router = APIRouter(prefix="/api/warmup", tags=["warm-up"])

READ_AT_ONCE: Final = 200
MOST_READ: Final = 2000
"""How many routes one request looks at where it asks for a state: pages may then be short."""
LIMIT: Final = 50
"""How many routes a page has where its reader does not say."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which routes: of a tenant, in a state, of such domains, behind an id; None is all."""

    tenant: str | None = None
    state: State | None = None
    domain: str | None = None
    after: str | None = None
    limit: int = LIMIT


@router.get("", response_model=RoutePage, responses=answers() | {304: {}})
async def routes(
    desk: TheDesk,
    bearer: Reader,
    request: Request,
    tenant: Annotated[str | None, Query(max_length=64)] = None,
    state: State | None = None,
    domain: Annotated[str | None, Query(max_length=255, description="A prefix.")] = None,
    after: Annotated[str | None, Query(max_length=400)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = LIMIT,
) -> Response:
    """The routes that the token may see, by domain and upstream; with an ETag."""
    wanted = Wanted(tenant, state, domain, after, limit)
    return await listed(desk, bearer, wanted, request.scope)


async def listed(desk: Desk, bearer: ApiToken, wanted: Wanted, scope: Scope) -> Response:
    """A page of routes, or that it is known already."""
    limit, state = wanted.limit, wanted.state
    most = limit if state is None else MOST_READ
    chosen = list(islice(_chosen(desk, bearer, wanted), most + 1))
    found: list[bytes] = []
    seen = 0
    while seen < min(len(chosen), most) and len(found) < limit:
        size = limit if state is None else READ_AT_ONCE
        for status in await desk.statuses(chosen[seen : seen + size]):
            if len(found) == limit:
                break
            seen += 1
            if state is None or status.state is state:
                found.append(text_of(status))
    cursor = None if seen >= len(chosen) else str(chosen[seen - 1].id)
    return told_once(page_of(found, cursor), scope)


def _chosen(desk: Desk, bearer: ApiToken, wanted: Wanted) -> Iterator[Route]:
    """The routes to look at, in order, from the cursor on."""
    tenant = wanted.tenant
    if not bearer.is_operator:
        if tenant is not None and not bearer.sees(tenant):
            return iter(())
        tenant = bearer.tenant or ""
    return desk.ordered.routes(desk.directory, tenant, (wanted.domain or "").lower(), wanted.after)


@router.get("/status/{id}", response_model=RouteStatus, responses=answers(404) | {304: {}})
async def status(desk: TheDesk, bearer: Reader, request: Request, id: str) -> Response:  # noqa: A002
    """One route; with an ETag, so that a poll that finds nothing new costs no body."""
    return await told(desk, bearer, id, request.scope)


async def told(desk: Desk, bearer: ApiToken, name: str, scope: Scope) -> Response:
    """Where the route called `name` stands, or that it is known already. Raises Problem (404)."""
    [found] = await desk.statuses([desk.route(bearer, name)])
    return told_once(text_of(found), scope)


@router.post(
    "/start", status_code=201, response_model=RouteStatus, responses=answers(404, 409, 415)
)
async def start(desk: TheDesk, bearer: Changer, wanted: Start) -> Response:
    """Begin a warm-up. Its clock starts at the first send; 409 where it runs already."""
    upstream = f"@{wanted.upstream}" if wanted.upstream else ""
    route = desk.route(bearer, f"{wanted.domain}{upstream}")
    if wanted.policy not in {None, route.policy.name}:
        told = f"{route.id.domain} has the policy {route.policy.name}, by the relay's config"
        raise Problem(409, told)
    return await _changed(desk, bearer, route, Verb.START, "", status=201)


def _verb(verb: Verb, says: str) -> None:
    async def change(desk: TheDesk, bearer: Changer, id: str, why: Why | None = None) -> Response:  # noqa: A002
        reason = why.reason if why else ""
        return await _changed(desk, bearer, desk.route(bearer, id), verb, reason)

    change.__doc__ = says
    router.add_api_route(
        f"/{verb.value}/{{id}}",
        change,
        name=verb.value,
        methods=["POST"],
        response_model=RouteStatus,
        responses=answers(404, 409, 415),
    )


_verb(Verb.PAUSE, "Defer all mail of a route until it is resumed.")
_verb(Verb.RESUME, "Undo a pause.")
_verb(Verb.GRADUATE, "End a warm-up: no cap from now on.")
_verb(Verb.RESTART, "Start a warm-up anew; what was sent today stays counted.")


async def _changed(
    desk: Desk, bearer: ApiToken, route: Route, verb: Verb, reason: str, *, status: int = 200
) -> Response:
    tenant = desk.tenant_of(route)
    change = await desk.changes.change(verb, route, tenant, actor=bearer.actor, reason=reason)
    if change.refusal is not None:
        raise Problem(409, f"{route.name} {change.refusal}")
    return Response(text_of(change.after), status, media_type=JSON)
