"""`/dashboard/audit`: who changed what, the newest first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from relay.core.audit import AuditEntry, AuditWanted
from relay.web.dashboard.desk import desk_of, viewer_of
from relay.web.dashboard.framing import page

SHOWN: Final = 50
MOST_VALUE: Final = 80
"""Characters of one value."""


async def show(request: Request) -> Response:
    """A page of it: of all tenants for operators, else of the viewer's own."""
    before = request.query_params.get("before", "")[:40]
    subject = request.query_params.get("subject", "").strip()[:400]
    wanted = AuditWanted(viewer_of(request).tenant, subject or None, before or None)
    found = await desk_of(request).audit.page(wanted, SHOWN + 1)
    rows = [{"entry": each, "changes": _changes(each)} for each in found[:SHOWN]]
    older = found[SHOWN - 1].id if len(found) > SHOWN else ""
    return page(
        request, "audit.html", "audit", rows=rows, subject=subject, before=before, older=older
    )


def _changes(entry: AuditEntry) -> list[str]:
    """What is not as it was: `state pending → paused`."""
    names = {**entry.before, **entry.after}
    return [
        f"{name.replace('_', ' ')} {_value(entry.before, name)} → {_value(entry.after, name)}"
        for name in names
        if entry.before.get(name) != entry.after.get(name)
    ]


def _value(told: Mapping[str, Any], name: str) -> str:
    value = told.get(name)
    if isinstance(value, list):
        value = ", ".join(map(str, value))
    return "–" if value is None or value == "" else str(value)[:MOST_VALUE]
