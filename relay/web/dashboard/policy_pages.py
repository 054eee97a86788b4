"""`/dashboard/policies`: the policies, two compared, what if; and the editor of one."""

from __future__ import annotations

from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from relay.core.errors import StoreTrouble
from relay.core.plan.mix import mix_for, mixed
from relay.core.plan.plan import plan
from relay.core.plan.sentences import assumed, sentences
from relay.core.policy.policy import Policy
from relay.core.status.past import tomorrows_cap
from relay.core.tenants.tenancy import Route
from relay.core.tenants.users import Viewer
from relay.ports.pages import CannotSave, PolicyText, SavedUnnoted
from relay.web.dashboard.charts import of_plan, of_policies
from relay.web.dashboard.desk import PagesDesk, desk_of, form_of, viewer_of
from relay.web.dashboard.framing import common, page
from relay.web.dashboard.rendering import render

MOST_VOLUME: Final = 10**9
MOST_COMPARED: Final = 100
PLAN_ROWS: Final = 60
DEFAULT_VOLUME: Final = 1000

AWAY: Final = (
    "Not saved: the store does not answer, and a change is noted there before it is made. "
    "Your text is kept below; save it again in a moment."
)
UNNOTED: Final = (
    "Saved: the file is written, and relays take it over. Then the store stopped answering, so the "
    "audit log has this change as begun, not as done."
)


async def show(request: Request) -> Response:
    """A policy, perhaps beside another, and what it would do with a daily volume."""
    desk, viewer = desk_of(request), viewer_of(request)
    query = request.query_params
    known = await desk.policies.all()
    users = _users(desk, viewer)
    names = sorted(known, key=lambda name: (name not in users, name))
    chosen = known.get(query.get("policy", "")) or known[names[0]]
    other = known.get(query.get("with", ""))
    volume = _volume(query.get("volume", ""))
    mix = mix_for(chosen, None)
    today = chosen.window.at(desk.clock.now()).date
    planned = plan(chosen, mixed([volume], mix), today)
    pair = [chosen, other] if other and _is_comparable(chosen, other) else [chosen]
    return page(
        request,
        "policies.html",
        "policies",
        known=known,
        names=names,
        users=users,
        chosen=chosen,
        other=other,
        is_comparable=other is None or len(pair) > 1,
        curve=of_policies(pair),
        volume=volume,
        told=sentences(planned) + ([f"{assumed(mix)}."] if mix else []),
        plan_chart=of_plan(planned),
        rows=planned.days[:PLAN_ROWS],
        saved="saved" in query,
    )


def _users(desk: PagesDesk, viewer: Viewer) -> dict[str, list[Route]]:
    """The routes that the viewer sees, by the name of their policy."""
    found: dict[str, list[Route]] = {}
    for route in desk.visible(viewer):
        found.setdefault(route.policy.name, []).append(route)
    return found


def _is_comparable(one: Policy, other: Policy) -> bool:
    """Whether both ramps count alike, so that one axis will do for both."""
    return one.ramp.advance.counts_days == other.ramp.advance.counts_days


def _volume(text: str) -> int:
    text = text.replace(",", "").strip()
    is_number = text.isascii() and text.isdigit() and len(text) < 12
    return min(MOST_VOLUME, int(text)) if is_number else DEFAULT_VOLUME


async def edit(request: Request) -> Response:
    """The editor, for operators; without a directory to write to, only to try things out."""
    text = await _text(request)
    return page(request, "policy_edit.html", "policies", file=text, wrong="", typed=text.text)


async def check(request: Request) -> Response:
    """What the relay would say of the text as it is now; htmx asks as one types."""
    desk, file = desk_of(request), await _text(request)
    policy, faults = await desk.policies.check(file.name, _typed(request))
    values = {
        **common(request, "policies"),
        "faults": faults,
        "differences": await _differences(desk, policy) if policy else [],
        "curve": of_policies([policy]) if policy else "",
        "is_same": _typed(request) == file.text,
        "file": file,
    }
    return HTMLResponse(render("policy_check.html", **values))


async def save(request: Request) -> Response:
    """Write the file; running relays take it over by themselves."""
    desk, actor, file = desk_of(request), viewer_of(request).actor, await _text(request)
    typed, digest = _typed(request), form_of(request).get("digest", "")
    try:
        await desk.policies.save(file.name, typed, digest, actor=actor)
    except CannotSave as error:
        return _edited(request, file, f"Not saved: {error}.", 409)
    except StoreTrouble:
        return _edited(request, file, AWAY, 503)
    except SavedUnnoted:
        return _edited(request, await _text(request), UNNOTED, 503)
    return RedirectResponse(f"/dashboard/policies?policy={file.name}&saved=1", 303)


def _edited(request: Request, file: PolicyText, wrong: str, status: int) -> Response:
    """The editor once more, with what was typed, and what came of saving it."""
    typed = _typed(request)
    answer = page(request, "policy_edit.html", "policies", file=file, wrong=wrong, typed=typed)
    answer.status_code = status
    return answer


async def _text(request: Request) -> PolicyText:
    """The policy of the path. Raises HTTPException where the viewer may not edit it."""
    if not viewer_of(request).is_operator:
        raise HTTPException(403, "Policies are edited by operators.")
    name = request.path_params["name"]
    found = await desk_of(request).policies.text(name)
    if found is None:
        raise HTTPException(404, f"There is no policy {name[:100]!r}.")
    return found


def _typed(request: Request) -> str:
    """The text of the form; browsers send CRLF for every line end."""
    return form_of(request).get("text", "").replace("\r\n", "\n")


async def _differences(desk: PagesDesk, policy: Policy) -> list[dict[str, Any]]:
    """The caps of the routes that use it, as they are and as they would be."""
    routes = [each for each in desk.directory.routes() if each.policy.name == policy.name]
    routes = routes[:MOST_COMPARED]
    before = await desk.statuses(routes)
    after = await desk.statuses([Route(route.id, policy) for route in routes])
    return [
        {
            "name": was.route.name,
            "today": (was.cap, becomes.cap),
            "tomorrow": (tomorrows_cap(was), tomorrows_cap(becomes)),
        }
        for was, becomes in zip(before, after, strict=True)
    ]
