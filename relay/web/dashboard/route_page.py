"""`/dashboard/warmup/{id}`: one route, and what may be done to it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from relay.core.quota.bounds import WallKind
from relay.core.quota.changes import DONE, Verb, may
from relay.core.status.past import coming, past
from relay.core.status.recent import KEPT_S, Kind
from relay.core.status.report import Status
from relay.core.tenants.audit import AuditWanted, one_line
from relay.core.tenants.tenancy import Route
from relay.web.dashboard.card import card, steps
from relay.web.dashboard.charts import of_route
from relay.web.dashboard.desk import PagesDesk, desk_of, form_of, viewer_of
from relay.web.dashboard.framing import common, page
from relay.web.dashboard.rendering import render

AUDIT_SHOWN: Final = 15
RECENT_SHOWN: Final = 12
WRITTEN_OUT: Final = frozenset({Verb.GRADUATE, Verb.RESTART})
"""Cannot be undone: the viewer has to type the route's name."""

WITHIN: Final = frozenset({WallKind.HEADROOM, WallKind.HOUR})
"""What stands below the cap on the card, where it is of no provider."""

SAYS: Final = {
    Verb.START: "The clock of the ramp starts with the first send.",
    Verb.PAUSE: "All mail of this route is deferred until it is resumed.",
    Verb.RESUME: "Mail flows again, within today's cap.",
    Verb.GRADUATE: "Ends the warm-up: no cap from now on. This cannot be undone.",
    Verb.RESTART: "Back to the foot of the ramp: first send and lifetime count are forgotten, "
    "what was sent today stays counted. This cannot be undone.",
}


async def show(request: Request) -> Response:
    """The whole page."""
    desk = desk_of(request)
    route = desk.route(viewer_of(request), request.path_params["id"])
    return await _shown(request, desk, route)


async def live(request: Request) -> Response:
    """The parts that change by themselves; htmx asks for them every few seconds."""
    desk = desk_of(request)
    route = desk.route(viewer_of(request), request.path_params["id"])
    [status] = await desk.statuses([route])
    values = {**common(request, "warmup"), **_of_status(status)}
    return HTMLResponse(render("route_anew.html", **values))


async def change(request: Request) -> Response:
    """Pause, resume, graduate, restart, start."""
    desk, viewer, form = desk_of(request), viewer_of(request), form_of(request)
    route = desk.route(viewer, request.path_params["id"])
    name = route.name
    verb = _verb(request.path_params["verb"])
    if verb in WRITTEN_OUT and form.get("typed", "").strip().lower() != name:
        told = f"Nothing was done: to {verb.value} the route, type its name, {name}."
        return await _shown(request, desk, route, refusal=told, status=422)
    reason = one_line(form.get("reason", ""))
    done = await desk.changes.change(
        verb, route, desk.tenant_of(route), actor=viewer.actor, reason=reason
    )
    if done.refusal is not None:
        told = f"Nothing was done: {name} {done.refusal}."
        return await _shown(request, desk, route, refusal=told, status=409)
    return RedirectResponse(f"/dashboard/warmup/{name}?done={verb.value}", 303)


def _verb(text: str) -> Verb:
    try:
        return Verb(text)
    except ValueError:
        raise HTTPException(404, "There is nothing of that name to be done.") from None


async def _shown(
    request: Request, desk: PagesDesk, route: Route, refusal: str = "", status: int = 200
) -> Response:
    [found] = await desk.statuses([route])
    was = past(found, await desk.history.days(route.id))
    comes = coming(found)
    # The list is dropped as a whole, two weeks after the last of it.
    since = desk.clock.now() - timedelta(seconds=KEPT_S)
    happened = [each for each in await desk.recent.of(route.id) if each.at >= since]
    # The domain may have been another tenant's before.
    asked = AuditWanted(viewer_of(request).tenant, str(route.id))
    audit = await desk.audit.page(asked, AUDIT_SHOWN)
    answer = page(
        request,
        "route.html",
        "warmup",
        **_of_status(found),
        steps=steps(found),
        chart=of_route(was, comes),
        was=was[::-1],
        comes=comes,
        deferrals=[each for each in happened if each.kind is Kind.DEFERRAL][:RECENT_SHOWN],
        replies=[each for each in happened if each.kind is Kind.REPLY][:RECENT_SHOWN],
        audit=audit,
        says=SAYS,
        refusal=refusal,
        done=_done(request),
    )
    answer.status_code = status
    return answer


def _of_status(status: Status) -> dict[str, Any]:
    fields = status.fields()
    return {
        "status": status,
        "fields": fields,
        "name": status.route.name,
        "card": card(status),
        "bounds": [
            each for each in fields["walls"] if each["wall"] in WITHIN and not each["provider"]
        ],
        "verbs": may(status.state, has_ramp=status.has_ramp),
        "written_out": WRITTEN_OUT,
    }


def _done(request: Request) -> str:
    said = request.query_params.get("done", "")
    return DONE[Verb(said)] if said in set(Verb) else ""
