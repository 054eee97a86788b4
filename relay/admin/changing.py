"""A change to a route, and the note of it in the audit log: for the command line and the API.

Which change makes sense when is `core/quota/changes.py`; that it happens at most once is the
store's part. The note is written ahead (`recording.py`): a process that is killed in between
leaves one that is open, never a change without one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from relay.admin.recording import entry, was_done, was_not_done, written_ahead
from relay.core.quota.changes import IDLE, Verb, why_not
from relay.core.status.report import Status
from relay.core.tenants.tenancy import Route
from relay.ports import Clock, QuotaStore
from relay.ports.web import AuditLog, Change
from relay.reporting import statuses_of

_SHOWN: Final = ("state", "reason", "policy", "warmup_day", "daily_limit", "lifetime_sends")


@dataclass(frozen=True, slots=True)
class Changing:
    """Implements `ports.web.Changes`."""

    store: QuotaStore
    audit: AuditLog
    clock: Clock

    async def change(
        self, verb: Verb, route: Route, tenant: str, *, actor: str, reason: str
    ) -> Change:
        """See `ports.web.Changes`."""
        before = await self._status(route, tenant)
        if refusal := why_not(verb, before.state, has_ramp=before.has_ramp):
            return Change(before, before, refusal)
        told = entry(
            self.clock.now(), actor, verb.value, tenant, str(route.id),
            reason=reason, before=_shown(before),
        )  # fmt: skip
        ahead = await written_ahead(self.audit, told)
        if not await self._apply(verb, route, reason):
            await was_not_done(self.audit, ahead)
            return Change(before, before, IDLE[verb])
        after = await self._status(route, tenant)
        await was_done(self.audit, ahead, _shown(after))
        return Change(before, after)

    async def _status(self, route: Route, tenant: str) -> Status:
        [found] = await statuses_of(self.store, self.clock, [(route, tenant)])
        return found

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


def _shown(status: Status) -> dict[str, Any]:
    fields = status.fields()
    return {name: fields[name] for name in _SHOWN}
