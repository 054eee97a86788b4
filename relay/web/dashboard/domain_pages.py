"""`/dashboard/domains`: every sending domain, one to be added, and what to publish for each."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote, urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from relay.core.policy.policy import EXEMPT
from relay.core.tenants.added import RouteWish
from relay.core.tenants.audit import one_line
from relay.core.tenants.users import Viewer
from relay.ports.domains import (
    By,
    DomainEdit,
    DomainRefused,
    Domains,
    DomainState,
    DomainView,
    Origin,
    Which,
    Why,
)
from relay.web.dashboard.desk import desk_of, form_of, viewer_of
from relay.web.dashboard.framing import page
from relay.web.dashboard.paging import page_number, part_of

FIELDS: Final = ("name", "tenant", "policy", "upstream")
_STATUS: Final = {
    Why.UNKNOWN: 404,
    Why.CONFLICT: 409,
    Why.BAD: 422,
    Why.AWAY: 503,
    Why.CHANGED: 409,
}
_SAID: Final = {
    "added": "Added. Publish its records; mail flows once the first one is found.",
    "verified": "Verified.",
    "approved": "Approved.",
    "changed": "Changed.",
}


async def show(request: Request) -> Response:
    """The list, and the form for a new one."""
    return _list(request, dict.fromkeys(FIELDS, ""))


async def add(request: Request) -> Response:
    """Add the domain of the form."""
    given = {name: form_of(request).get(name, "").strip() for name in FIELDS}
    viewer = viewer_of(request)
    tenant = viewer.tenant or given["tenant"]
    wanted = DomainEdit(routes=(RouteWish(given["upstream"], given["policy"]),))
    try:
        view = await desk_of(request).domains.add(given["name"], tenant, wanted, by(viewer))
    except DomainRefused as refused:
        return _list(request, given, str(refused), _STATUS[refused.why])
    return _to(view.name, "added")


async def one(request: Request) -> Response:
    """A domain: its state, its records, and what may be done to it."""
    return await _one(request)


async def change(request: Request) -> Response:
    """Verify, approve, change or remove it."""
    domains, form, name = desk_of(request).domains, form_of(request), request.path_params["name"]
    verb = request.path_params["verb"]
    who = by(viewer_of(request), one_line(form.get("reason", "")))
    try:
        match verb:
            case "verify":
                await domains.verify(name, who)
            case "approve" if who.tenant is None:
                await domains.approve(name, who)
            case "change":
                await domains.change(name, _edit(form), who, only=form.get("mark"))
            case "remove":
                return await _removed(request, domains, name, who)
            case _:
                raise HTTPException(404, "There is nothing here that you may do.")
    except DomainRefused as refused:
        return await _one(request, str(refused), _STATUS[refused.why])
    said = {"verify": "verified", "approve": "approved", "change": "changed"}
    return _to(name, said[verb])


def by(viewer: Viewer, reason: str = "") -> By:
    """Who asks, from a page."""
    return By(viewer.actor, viewer.tenant, reason)


def form_values(request: Request) -> dict[str, Any]:
    """What the form for a new domain needs."""
    desk, viewer = desk_of(request), viewer_of(request)
    offer = desk.domains.offer()
    return {
        "policies": [*sorted(offer.policies), *([EXEMPT.name] if viewer.is_operator else [])],
        "upstreams": sorted(offer.upstreams),
        "tenants": sorted(desk.directory.tenants),
    }


async def _removed(request: Request, domains: Domains, name: str, who: By) -> Response:
    if form_of(request).get("typed", "").strip().lower() != name.lower():
        return await _one(request, "Type the name of the domain to remove it.", 422)
    await domains.remove(name, who)
    return RedirectResponse(f"/dashboard/domains?{urlencode({'removed': name})}", 303)


def _edit(form: dict[str, str]) -> DomainEdit:
    return DomainEdit(routes=(RouteWish(form.get("upstream", ""), form.get("policy", "")),))


def _to(name: str, said: str) -> Response:
    return RedirectResponse(f"/dashboard/domains/{quote(name, safe='')}?said={said}", 303)


def _list(request: Request, given: dict[str, str], wrong: str = "", status: int = 200) -> Response:
    query = request.query_params
    search = query.get("q", "").strip().lower()[:255]
    state = next((each for each in DomainState if each.value == query.get("state")), None)
    which = Which(part=search, state=state)
    found = desk_of(request).domains.all(by(viewer_of(request)), which)
    answer = page(
        request,
        "domains.html",
        "domains",
        found=part_of(found, page_number(query.get("page", "1"))),
        search=search,
        state=state or "",
        states=[each.value for each in DomainState],
        link=lambda to: "?" + urlencode({"q": search, "state": state or "", "page": to}),
        given=given,
        wrong=wrong,
        said=f"{query['removed'][:255]} is removed." if "removed" in query else "",
        **form_values(request),
    )
    answer.status_code = status
    return answer


async def _one(request: Request, wrong: str = "", status: int = 200) -> Response:
    desk, viewer, name = desk_of(request), viewer_of(request), request.path_params["name"]
    try:
        view: DomainView = await desk.domains.one(name, by(viewer))
    except DomainRefused:
        raise HTTPException(404, f"There is no domain {name[:300]!r} that you may see.") from None
    answer = page(
        request,
        "domain.html",
        "domains",
        view=view,
        is_added=view.source is Origin.API,
        records=await desk.domains.records(view),
        wrong=wrong,
        said="" if wrong else _said(request.query_params.get("said", ""), view),
        **form_values(request),
    )
    answer.status_code = status
    return answer


def _said(word: str, view: DomainView) -> str:
    told = _SAID.get(word, "")
    sends = word in {"verified", "approved"} and view.state is DomainState.ACTIVE
    return f"{told} Mail from it is taken now." if sends else told
