"""Entries of the audit log, and how a change and its entry are made to go together.

Tokens and users lie beside the log, so that the store changes and notes them in one step
(`ports.web.TokenShelf`). A route or a policy's file lies elsewhere: its entry is written ahead,
open, and gets its outcome after the change. Whoever is killed in between leaves it open: then
the log says who wanted what, and that nobody knows whether it was done.
"""

from __future__ import annotations

import secrets
from base64 import b32hexencode
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from relay.core.tenants.audit import MOST_REASON, AuditEntry, Outcome
from relay.ports.web import AuditLog

NOTHING: Mapping[str, Any] = {}


def entry(
    now: datetime,
    actor: str,
    action: str,
    tenant: str,
    subject: str,
    *,
    reason: str = "",
    before: Mapping[str, Any] = NOTHING,
    after: Mapping[str, Any] = NOTHING,
) -> AuditEntry:
    """A new entry, as of `now`; a reason that is too long is cut."""
    reason = reason[:MOST_REASON]
    return AuditEntry(_new_id(now), now, actor, action, tenant, subject, reason, before, after)


async def written_ahead(audit: AuditLog, entry: AuditEntry) -> AuditEntry:
    """`entry` in the log, open: call it before the change. Raises StoreTrouble: change nothing."""
    ahead = replace(entry, outcome=Outcome.OPEN)
    await audit.add(ahead)
    return ahead


async def was_done(
    audit: AuditLog, ahead: AuditEntry, after: Mapping[str, Any], reason: str | None = None
) -> None:
    """The change was made: the entry says so. After StoreTrouble it may still be open."""
    told = ahead.reason if reason is None else reason[:MOST_REASON]
    await audit.replace(ahead, replace(ahead, outcome=Outcome.DONE, after=after, reason=told))


async def was_not_done(audit: AuditLog, ahead: AuditEntry) -> None:
    """Nothing was changed, for certain: the entry goes; after StoreTrouble perhaps not yet."""
    await audit.replace(ahead, None)


def _new_id(now: datetime) -> str:
    """20 letters and digits, which sort by time."""
    milliseconds = int(now.timestamp() * 1000) & 0xFFFF_FFFF_FFFF
    unique = milliseconds.to_bytes(6, "big") + secrets.token_bytes(6)
    return b32hexencode(unique).decode().lower().rstrip("=")
