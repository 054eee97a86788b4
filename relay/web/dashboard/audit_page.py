"""`/dashboard/audit`: who changed what, the newest first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from relay.core.tenants.audit import AuditEntry, AuditWanted
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
    rows = [{"entry": each, "changes": changes_of(each)} for each in found[:SHOWN]]
    older = found[SHOWN - 1].id if len(found) > SHOWN else ""
    return page(
        request, "audit.html", "audit", rows=rows, subject=subject, before=before, older=older
    )


def changes_of(entry: AuditEntry) -> list[str]:
    """What is not as it was, for people: `state pending → paused`."""
    names = {**entry.before, **entry.after}
    pairs = [(name, _value(entry.before, name), _value(entry.after, name)) for name in names]
    return [
        f"{name.replace('_', ' ')} {was} → {becomes}"
        for name, was, becomes in pairs
        if was != becomes
    ]


def _value(told: Mapping[str, Any], name: str) -> str:
    value = told.get(name)
    if value is None and name == "daily_limit" and name in told:
        return "unlimited"
    return "–" if value is None or value in ("", []) else _text(value)[:MOST_VALUE]


def _text(value: object) -> str:
    """A value of JSON without its brackets: `upstream outbound policy ramp, …`."""
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    if isinstance(value, dict):
        return " ".join(f"{name} {_text(each)}" for name, each in value.items())
    return str(value)
