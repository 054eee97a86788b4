"""The audit log in the store: `ports_web.AuditLog`.

A sorted set by time, each entry a member: saying the same entry twice keeps it once, and the
oldest ones are cut off by rank.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any, Final

from relay.core.audit import MOST_ENTRIES, AuditEntry, AuditWanted
from relay.store import keys
from relay.store.commands import Command
from relay.store.line import Line
from relay.store.slices import epoch_ms, from_epoch_ms

_BATCH: Final = 500


class RedisAuditLog:
    """`ports_web.AuditLog` over `line`."""

    def __init__(self, line: Line, most: int = MOST_ENTRIES) -> None:
        self._line = line
        self._most = most

    async def add(self, entry: AuditEntry) -> None:
        """See `ports_web.AuditLog`."""
        words = ("ZADD", keys.AUDIT, epoch_ms(entry.at), _text_of(entry))
        await self._line.insist(Command("add to audit log", words, int))
        cut = ("ZREMRANGEBYRANK", keys.AUDIT, 0, -self._most - 1)
        await self._line.insist(Command("cut audit log", cut, int))

    async def page(self, wanted: AuditWanted, limit: int) -> list[AuditEntry]:
        """See `ports_web.AuditLog`."""
        found: list[AuditEntry] = []
        async for entry in self._newest_first():
            if _is_wanted(entry, wanted):
                found.append(entry)
            if len(found) == limit:
                break
        return found

    async def _newest_first(self) -> AsyncIterator[AuditEntry]:
        for start in range(0, self._most, _BATCH):
            words = ("ZRANGE", keys.AUDIT, start, start + _BATCH - 1, "REV")
            texts = await self._line.ask(Command("read audit log", words, list))
            for text in texts:
                yield _entry_from(text)
            if len(texts) < _BATCH:
                return


def _is_wanted(entry: AuditEntry, wanted: AuditWanted) -> bool:
    return (
        wanted.tenant in {None, entry.tenant}
        and wanted.subject in {None, entry.subject}
        and (wanted.before is None or entry.id < wanted.before)
    )


def _text_of(entry: AuditEntry) -> str:
    # The id comes first: entries of one millisecond are in its order.
    return json.dumps(
        {
            "id": entry.id,
            "at": epoch_ms(entry.at),
            "actor": entry.actor,
            "action": entry.action,
            "tenant": entry.tenant,
            "subject": entry.subject,
            "reason": entry.reason,
            "before": dict(entry.before),
            "after": dict(entry.after),
        }
    )


def _entry_from(text: str) -> AuditEntry:
    told: dict[str, Any] = json.loads(text)
    return AuditEntry(**(told | {"at": from_epoch_ms(told["at"])}))
