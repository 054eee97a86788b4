"""`/api/domains`: the sending domains, and those that are added while the relay runs."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

from relay.core.tenants.access import ApiToken
from relay.core.tenants.added import RouteWish
from relay.ports.domains import By, DomainEdit, DomainState, DomainView, Origin, Which
from relay.web.api.declared import answers
from relay.web.api.desk import Changer, Desk, Operator, Reader, TheDesk
from relay.web.api.domain_schemas import (
    Domain,
    DomainChange,
    DomainPage,
    NewDomain,
    RemovedDomain,
    WhyOfDomain,
)
from relay.web.api.problems import Problem
from relay.web.api.schemas import Reason
from relay.web.api.tags import IfMatch, is_matched, tagged, told_once
from relay.web.api.told import as_json

router = APIRouter(prefix="/api/domains", tags=["domains"])


@router.get("", response_model=DomainPage, responses=answers())
async def domains(
    desk: TheDesk,
    bearer: Reader,
    tenant: Annotated[str | None, Query(max_length=64)] = None,
    state: DomainState | None = None,
    source: Origin | None = None,
    domain: Annotated[str | None, Query(max_length=255, description="A prefix.")] = None,
    after: Annotated[str | None, Query(max_length=300)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Response:
    """The domains that the token may see, by name: those of the config and those added."""
    named = {"prefix": (domain or "").lower(), "after": after or ""}
    which = Which(**named, tenant=tenant, state=state, source=source)
    found = desk.domains.all(_by(bearer), which)
    page = [view.fields() for view in found[:limit]]
    return JSONResponse({"data": page, "next": page[-1]["name"] if len(found) > limit else None})


@router.post("", status_code=201, response_model=Domain, responses=answers(404, 409, 415))
async def add(desk: TheDesk, bearer: Changer, wanted: NewDomain) -> Response:
    """Add a domain: its DKIM keys are made, and it is pending until its TXT record is found."""
    edit = _edit(desk, wanted)
    if edit.routes is None:
        raise Problem(422, "policy: name the policy of the domain, or its routes", field="policy")
    by = _by(bearer, wanted.reason)
    view = await desk.domains.add(wanted.name, _tenant(bearer, wanted), edit, by)
    return tagged(await _text(desk, view), 201)


@router.get("/{name}", response_model=Domain, responses=answers(404) | {304: {}})
async def domain(desk: TheDesk, bearer: Reader, request: Request, name: str) -> Response:
    """One domain, with the DNS records to publish and an ETag."""
    view = await desk.domains.one(name, _by(bearer))
    return told_once(await _text(desk, view), request.scope)


@router.patch("/{name}", response_model=Domain, responses=answers(404, 409, 412, 415))
async def change(
    desk: TheDesk, bearer: Changer, name: str, wanted: DomainChange, if_match: IfMatch = None
) -> Response:
    """Change routes, class or envelope domains of an added domain; what is left out stays."""
    by = _by(bearer, wanted.reason)
    now = await desk.domains.one(name, by)
    only = await _mark(desk, now, if_match)
    view = await desk.domains.change(name, _edit(desk, wanted, now), by, only=only)
    return tagged(await _text(desk, view))


@router.delete("/{name}", response_model=RemovedDomain, responses=answers(404, 409, 412, 415))
async def remove(
    desk: TheDesk,
    bearer: Changer,
    name: str,
    reason: Annotated[Reason, Query()] = "",
    if_match: IfMatch = None,
) -> Response:
    """Remove an added domain: its mail is refused from now on. What was counted stays counted."""
    by = _by(bearer, reason)
    only = await _mark(desk, await desk.domains.one(name, by), if_match)
    view = await desk.domains.remove(name, by, only=only)
    return JSONResponse(view.fields() | {"removed": True})


@router.post("/{name}/verify", response_model=Domain, responses=answers(404, 409, 415))
async def verify(
    desk: TheDesk, bearer: Changer, name: str, why: WhyOfDomain | None = None
) -> Response:
    """Look for the TXT record now; 409 where it is not there, 503 where the DNS is away."""
    view = await desk.domains.verify(name, _by(bearer, why.reason if why else ""))
    return JSONResponse(await _whole(desk, view))


@router.post("/{name}/approve", response_model=Domain, responses=answers(404, 409, 415))
async def approve(
    desk: TheDesk, bearer: Operator, name: str, why: WhyOfDomain | None = None
) -> Response:
    """Let a domain send without its TXT record; for operators."""
    view = await desk.domains.approve(name, _by(bearer, why.reason if why else ""))
    return JSONResponse(await _whole(desk, view))


def _by(bearer: ApiToken, reason: str = "") -> By:
    return By(bearer.actor, None if bearer.is_operator else bearer.tenant, reason)


def _tenant(bearer: ApiToken, wanted: NewDomain) -> str:
    if bearer.tenant is None:
        if wanted.tenant is None:
            raise Problem(422, "tenant: name the tenant that it is for", field="tenant")
        return wanted.tenant
    if wanted.tenant not in {None, bearer.tenant}:
        raise Problem(403, "the token adds domains for its own tenant only")
    return bearer.tenant


def _edit(
    desk: Desk, wanted: NewDomain | DomainChange, now: DomainView | None = None
) -> DomainEdit:
    names = wanted.envelope_domains
    return DomainEdit(
        routes=_routes(desk, wanted, now),
        envelope_domains=None if names is None else tuple(names),
        mail_class=wanted.mail_class,
        no_class="mail_class" in wanted.model_fields_set and wanted.mail_class is None,
    )


def _routes(
    desk: Desk, wanted: NewDomain | DomainChange, now: DomainView | None
) -> tuple[RouteWish, ...] | None:
    """The routes that are wanted; `now` is the domain as it is, if it is there."""
    if wanted.routes is not None:
        if wanted.policy is not None or wanted.upstream is not None:
            raise Problem(422, "routes: they stand in place of policy and upstream", field="routes")
        return tuple(RouteWish(each.upstream, each.policy) for each in wanted.routes)
    if wanted.policy is None and wanted.upstream is None:
        return None
    if now is not None and len(now.routes) > 1:
        raise Problem(422, "policy: the domain has several routes; name them", field="routes")
    if now is None and wanted.policy is None:
        raise Problem(422, "policy: name the policy of the domain, or its routes", field="policy")
    is_one = now.routes[0] if now else RouteWish(_only_upstream(desk, wanted), "")
    return (RouteWish(wanted.upstream or is_one.upstream, wanted.policy or is_one.policy),)


def _only_upstream(desk: Desk, wanted: NewDomain | DomainChange) -> str:
    if wanted.upstream is not None:
        return wanted.upstream
    names = desk.domains.offer().upstreams
    if len(names) != 1:
        told = ", ".join(sorted(names)[:20])
        raise Problem(422, f"upstream: name one of {told}", field="upstream")
    return next(iter(names))


async def _mark(desk: Desk, now: DomainView, if_match: str | None) -> str | None:
    """The mark of `now`, if that is what `if_match` asks for; None: it asks for nothing.

    Raises Problem (412). What changes after this has another mark, which the store sees.
    """
    if if_match is None:
        return None
    if not is_matched(if_match, await _text(desk, now)):
        raise Problem(412, f"{now.name} is not as If-Match says: read it again")
    return now.mark


async def _text(desk: Desk, view: DomainView) -> bytes:
    return as_json(await _whole(desk, view)).encode()


async def _whole(desk: Desk, view: DomainView) -> dict[str, Any]:
    records = await desk.domains.records(view)
    return view.fields() | {"records": [each.fields() for each in records]}
