"""The audit log in the store: `ports.web.AuditLog`.

A sorted set by time, each entry a member: saying the same entry twice keeps it once, and the
oldest ones are cut off by rank. `keep` is for rooms beside this one that change a hash and note
it in one step.
"""

from __future__ import annotations

import json
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

from relay.core.tenants.audit import MOST_ENTRIES, AuditEntry, AuditWanted, Outcome
from relay.store import keys
from relay.store.commands import Command, Word, evalsha, script
from relay.store.connections.line import Line
from relay.store.slices import epoch_ms, from_epoch_ms

_BATCH: Final = 500
_MOST_READ: Final = 512
"""Texts that are kept with what they mean: readers ask for the newest ones again and again."""
_GROWS: Final = 4
"""What a page of all entries reads is what it tells; one of a few among many reads more at once."""


class RedisAuditLog:
    """`ports.web.AuditLog` over `line`."""

    def __init__(self, line: Line, most: int = MOST_ENTRIES) -> None:
        self._line = line
        self._most = most

    async def add(self, entry: AuditEntry) -> None:
        """See `ports.web.AuditLog`."""
        await self._note(epoch_ms(entry.at), _text_of(entry), "")

    async def replace(self, was: AuditEntry, becomes: AuditEntry | None) -> None:
        """See `ports.web.AuditLog`."""
        text = "" if becomes is None else _text_of(becomes)
        await self._note(epoch_ms(was.at), text, _text_of(was))

    async def _note(self, at_ms: int, comes: str, goes: str) -> None:
        words = (at_ms, comes, goes, self._most)
        await self._line.insist(
            evalsha("note", script("noting", "note"), (keys.AUDIT,), words, int)
        )

    async def page(self, wanted: AuditWanted, limit: int) -> list[AuditEntry]:
        """See `ports.web.AuditLog`."""
        found: list[AuditEntry] = []
        start, size, before = 0, min(limit, _BATCH), set[str]()
        while start < self._most and len(found) < limit:
            texts = await self._newest(start, size)
            # An entry that was added meanwhile has moved all others on.
            entries = [_entry_from(text) for text in texts if text not in before]
            found += [entry for entry in entries if _is_wanted(entry, wanted)]
            if len(texts) < size:
                break
            start, size, before = start + size, min(_GROWS * size, _BATCH), set(texts)
        return found[:limit]

    async def _newest(self, start: int, count: int) -> list[str]:
        words = ("ZRANGE", keys.AUDIT, start, start + count - 1, "REV")
        return await self._line.ask(Command("read audit log", words, list))


class Keep(StrEnum):
    """What becomes of a field of a hash."""

    ADD = "add"
    CHANGE = "change"
    REMOVE = "remove"


def keep(
    verb: str, how: Keep, entry: AuditEntry, hashes: tuple[str, ...], field: str, *value: str
) -> Command[bool]:
    """`keep.lua`: do it, and note `entry`; False, and nothing is noted, if it cannot be done.

    `hashes`: the one that holds the field, and those that lose it when it goes.
    """
    words: tuple[Word, ...] = (epoch_ms(entry.at), _text_of(entry), MOST_ENTRIES, how.value)
    names = (keys.AUDIT, *hashes)
    return evalsha(verb, script("noting", "keep"), names, (*words, field, *value), bool)


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
            "outcome": entry.outcome.value,
        }
    )


@lru_cache(maxsize=_MOST_READ)
def _entry_from(text: str) -> AuditEntry:
    told: dict[str, Any] = json.loads(text)
    outcome = Outcome(told.get("outcome", Outcome.DONE))
    return AuditEntry(**(told | {"at": from_epoch_ms(told["at"]), "outcome": outcome}))
