"""`/api/audit`: who changed what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response

from relay.core.quota.wording import timestamp
from relay.core.tenants.access import ApiToken
from relay.core.tenants.audit import AuditEntry, AuditWanted
from relay.web.api.declared import answers
from relay.web.api.desk import Desk, Reader, TheDesk
from relay.web.api.schemas import AuditPage
from relay.web.api.tags import JSON
from relay.web.api.told import as_json, page_of

router = APIRouter(prefix="/api/audit", tags=["audit"])

_NAMES: Final = tuple(each.name for each in fields(AuditEntry))

LIMIT: Final = 50
"""How many entries a page has where its reader does not say."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries: of a tenant, of a subject, older than one with that id; None is all."""

    tenant: str | None = None
    subject: str | None = None
    before: str | None = None
    limit: int = LIMIT


@router.get("", response_model=AuditPage, responses=answers())
async def audit(
    desk: TheDesk,
    bearer: Reader,
    tenant: Annotated[str | None, Query(max_length=64)] = None,
    subject: Annotated[
        str | None, Query(max_length=400, description="Such as domain@upstream.")
    ] = None,
    before: Annotated[str | None, Query(max_length=40)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = LIMIT,
) -> Response:
    """Changes that the token may see, the newest first; the log is bounded."""
    return await listed(desk, bearer, Wanted(tenant, subject, before, limit))


async def listed(desk: Desk, bearer: ApiToken, wanted: Wanted) -> Response:
    """A page of entries."""
    if wanted.tenant is not None and not bearer.sees(wanted.tenant):
        return _page([], None)
    whose = wanted.tenant if bearer.is_operator else bearer.tenant
    asked = AuditWanted(whose, wanted.subject, wanted.before)
    found = await desk.audit.page(asked, wanted.limit + 1)
    page = found[: wanted.limit]
    return _page(page, page[-1].id if len(found) > wanted.limit else None)


def _page(entries: Sequence[AuditEntry], cursor: str | None) -> Response:
    texts = [as_json(_fields(entry)).encode() for entry in entries]
    return Response(page_of(texts, cursor), media_type=JSON)


def _fields(entry: AuditEntry) -> dict[str, Any]:
    # Not `asdict`, which copies `before` and `after` to their leaves.
    told = {name: getattr(entry, name) for name in _NAMES}
    return told | {"at": timestamp(entry.at)}
