"""A page in its frame: what every template needs besides its own values."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse

from relay.web.dashboard.branding import brand_of
from relay.web.dashboard.desk import desk_of, viewer_of
from relay.web.dashboard.guard import zone_of
from relay.web.dashboard.rendering import render


def common(request: Request, active: str) -> dict[str, Any]:
    """What every page needs: who looks, in which zone, with which brand."""
    viewer = viewer_of(request)
    return {
        "viewer": viewer,
        "brand": brand_of(desk_of(request), viewer),
        "zone": zone_of(request.scope),
        "active": active,
        "simulated": request.app.state.simulated(),
        "now": desk_of(request).clock.now(),
    }


def page(request: Request, template: str, active: str, **values: Any) -> HTMLResponse:
    """A whole page."""
    return HTMLResponse(render(template, **common(request, active), **values))
