"""A change to a route, and the note of it in the audit log: for the command line and the API.

Which change makes sense when is `core/changes.py`; that it happens at most once is the
store's part. The note is written after the change: a process killed in between leaves a
change without one, never a note of what did not happen.
"""

from __future__ import annotations

import secrets
from base64 import b32hexencode
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from relay.core.audit import MOST_REASON, AuditEntry
from relay.core.changes import IDLE, Verb, why_not
from relay.core.report import Status
from relay.core.tenancy import Route
from relay.ports import Clock, QuotaStore
from relay.ports_web import AuditLog, Change

_SHOWN: Final = ("state", "reason", "policy", "warmup_day", "daily_limit", "lifetime_sends")


@dataclass(frozen=True, slots=True)
class Changing:
    """Implements `ports_web.Changes`."""

    store: QuotaStore
    audit: AuditLog
    clock: Clock

    async def change(
        self, verb: Verb, route: Route, tenant: str, *, actor: str, reason: str
    ) -> Change:
        """See `ports_web.Changes`."""
        before = await self._status(route, tenant)
        refusal = why_not(verb, before.state)
        if refusal is None and not await self._apply(verb, route, reason):
            refusal = IDLE[verb]
        if refusal is not None:
            return Change(before, before, refusal)
        after = await self._status(route, tenant)
        await self._note(verb, before, after, actor=actor, reason=reason)
        return Change(before, after)

    async def _status(self, route: Route, tenant: str) -> Status:
        window = route.policy.window.at(self.clock.now())
        return Status(route, tenant, window, await self.store.standing(route, window))

    async def _apply(self, verb: Verb, route: Route, reason: str) -> bool:
        now = self.clock.now()
        match verb:
            case Verb.START:
                return await self.store.start(route.id, now)
            case Verb.PAUSE:
                return await self.store.pause(route.id, reason or "by operator", now)
            case Verb.RESUME:
                return await self.store.resume(route.id)
            case Verb.GRADUATE:
                return await self.store.graduate(route.id, now)
            case Verb.RESTART:
                return await self.store.restart(route.id)

    async def _note(
        self, verb: Verb, before: Status, after: Status, *, actor: str, reason: str
    ) -> None:
        now = self.clock.now()
        await self.audit.add(
            AuditEntry(
                id=entry_id(now),
                at=now,
                actor=actor,
                action=verb.value,
                tenant=before.tenant,
                subject=str(before.route.id),
                reason=reason[:MOST_REASON],
                before=_shown(before),
                after=_shown(after),
            )
        )


def entry_id(now: datetime) -> str:
    """A new id for an entry of `now`: 20 letters and digits, which sort by time."""
    milliseconds = int(now.timestamp() * 1000) & 0xFFFF_FFFF_FFFF
    unique = milliseconds.to_bytes(6, "big") + secrets.token_bytes(6)
    return b32hexencode(unique).decode().lower().rstrip("=")


def _shown(status: Status) -> dict[str, Any]:
    fields = status.fields()
    return {name: fields[name] for name in _SHOWN}
