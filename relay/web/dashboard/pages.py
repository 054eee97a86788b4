"""`/dashboard/warmup`: every route that the viewer may see, and the first steps without one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from relay.core.quota.reservation import State
from relay.core.status.report import Status
from relay.web.dashboard import connecting
from relay.web.dashboard.card import card
from relay.web.dashboard.desk import PagesDesk, desk_of, viewer_of
from relay.web.dashboard.framing import page
from relay.web.dashboard.listing import Listing, Wanted
from relay.web.dashboard.rendering import number
from relay.web.dashboard.spark import spark

SPARK_DAYS = 14
COLUMNS = (
    ("route", "Route", ""),
    ("state", "State", ""),
    ("day", "Day", "num"),
    ("sent", "Sent today", "num"),
    ("cap", "Cap", "num"),
    ("remaining", "Remaining", "num"),
    ("lifetime", "Lifetime", "num"),
    ("resets", "Resets", ""),
)


async def warmup(request: Request) -> Response:
    """All routes; htmx asks for the table alone."""
    desk, viewer = desk_of(request), viewer_of(request)
    listing: Listing = request.app.state.listing
    shown = listing.shown(desk, viewer)
    if not shown.routes:
        return await connecting.show(request)
    wanted = Wanted.of(dict(request.query_params))
    found = await listing.page(desk, viewer, wanted)
    rows = await _rows(desk, found.rows)
    is_part = request.headers.get("hx-target") == "routes"
    return page(
        request,
        "routes_table.html" if is_part else "routes.html",
        "warmup",
        wanted=wanted,
        found=found,
        rows=rows,
        columns=COLUMNS,
        states=list(State),
        tenants=shown.tenants,
        policies=shown.policies,
        link=lambda **changes: "?" + urlencode(wanted.query(**changes)),
    )


async def _rows(desk: PagesDesk, statuses: Sequence[Status]) -> list[Mapping[str, Any]]:
    wanted = [(each.route.id, each.window.day) for each in statuses]
    counts = await desk.history.lately(wanted, SPARK_DAYS)
    return [
        {
            "status": status,
            "name": status.route.name,
            "card": card(status),
            "spark": spark(days, _told(days)),
        }
        for status, days in zip(statuses, counts, strict=True)
    ]


def _told(days: list[int]) -> str:
    return f"sends of the last {len(days)} days: {', '.join(map(number, days))}"


async def home(_request: Request) -> Response:
    """The way in."""
    return Response(status_code=303, headers={"location": "/dashboard/warmup"})
