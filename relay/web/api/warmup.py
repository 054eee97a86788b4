"""`/api/warmup`: the routes, and what is done to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

from relay.core.access import ApiToken
from relay.core.changes import Verb
from relay.core.standing import State
from relay.core.tenancy import Route
from relay.web.api.declared import answers
from relay.web.api.desk import Changer, Desk, Reader, TheDesk
from relay.web.api.problems import Problem
from relay.web.api.schemas import RoutePage, RouteStatus, Start, Why
from relay.web.api.tags import told_once

router = APIRouter(prefix="/api/warmup", tags=["warm-up"])

READ_AT_ONCE: Final = 200
MOST_READ: Final = 2000
"""How many routes one request looks at where it asks for a state: pages may then be short."""


@router.get("", response_model=RoutePage, responses=answers() | {304: {}})
async def routes(
    desk: TheDesk,
    bearer: Reader,
    request: Request,
    tenant: Annotated[str | None, Query(max_length=64)] = None,
    state: State | None = None,
    domain: Annotated[str | None, Query(max_length=255, description="A prefix.")] = None,
    after: Annotated[str | None, Query(max_length=400)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Response:
    """The routes that the token may see, by domain and upstream; with an ETag."""
    chosen = _chosen(desk, bearer, tenant, domain, after)
    found: list[dict[str, Any]] = []
    seen = 0
    while seen < min(len(chosen), MOST_READ) and len(found) < limit:
        size = limit if state is None else READ_AT_ONCE
        for status in await desk.statuses(chosen[seen : seen + size]):
            if len(found) == limit:
                break
            seen += 1
            if state in {None, status.state}:
                found.append(desk.fields(status))
    is_last = seen >= len(chosen)
    cursor = None if is_last else str(chosen[seen - 1].id)
    return told_once(JSONResponse({"data": found, "next": cursor}), request)


def _chosen(
    desk: Desk, bearer: ApiToken, tenant: str | None, domain: str | None, after: str | None
) -> Sequence[Route]:
    """The routes to look at, in order, from the cursor on."""
    chosen = [
        route
        for route in desk.directory.routes()
        if bearer.sees(desk.tenant_of(route))
        and tenant in {None, desk.tenant_of(route)}
        and route.id.domain.startswith((domain or "").lower())
        and (after is None or str(route.id) > after)
    ]
    return sorted(chosen, key=lambda route: str(route.id))


@router.get("/status/{id}", response_model=RouteStatus, responses=answers(404) | {304: {}})
async def status(desk: TheDesk, bearer: Reader, request: Request, id: str) -> Response:  # noqa: A002
    """One route; with an ETag, so that a poll that finds nothing new costs no body."""
    return await _told(desk, desk.route(bearer, id), request=request)


@router.post("/start", status_code=201, response_model=RouteStatus, responses=answers(404, 409))
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
        responses=answers(404, 409),
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
    return JSONResponse(desk.fields(change.after), status)


async def _told(desk: Desk, route: Route, *, request: Request) -> Response:
    [found] = await desk.statuses([route])
    return told_once(JSONResponse(desk.fields(found)), request)
