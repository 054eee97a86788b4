"""`/api/audit`: who changed what."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse

from relay.core.audit import AuditEntry, AuditWanted
from relay.core.wording import timestamp
from relay.web.api.declared import answers
from relay.web.api.desk import Reader, TheDesk
from relay.web.api.schemas import AuditPage

router = APIRouter(prefix="/api/audit", tags=["audit"])


@router.get("", response_model=AuditPage, responses=answers())
async def audit(
    desk: TheDesk,
    bearer: Reader,
    tenant: Annotated[str | None, Query(max_length=64)] = None,
    subject: Annotated[
        str | None, Query(max_length=400, description="Such as domain@upstream.")
    ] = None,
    before: Annotated[str | None, Query(max_length=40)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Response:
    """Changes that the token may see, the newest first; the log is bounded."""
    if tenant is not None and not bearer.sees(tenant):
        return JSONResponse({"data": [], "next": None})
    whose = tenant if bearer.is_operator else bearer.tenant
    found = await desk.audit.page(AuditWanted(whose, subject, before), limit + 1)
    page = [_fields(entry) for entry in found[:limit]]
    return JSONResponse({"data": page, "next": page[-1]["id"] if len(found) > limit else None})


def _fields(entry: AuditEntry) -> dict[str, Any]:
    return asdict(entry) | {"at": timestamp(entry.at)}
