"""The tokens of the HTTP API in the store: `ports.web.TokenShelf`.

One hash holds every token, a field each, so that every verb is one command; when each was
last used stands in a hash beside it, so that a use never writes over a revocation. A change is
one step with its entry in the audit log. What a text means is kept, never what the store has.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Final

from relay.core.tenants.access import ApiToken, Scope
from relay.core.tenants.audit import AuditEntry
from relay.store import keys
from relay.store.commands import Command, as_is, pairs
from relay.store.connections.line import Line
from relay.store.shelves.audit_log import Keep, keep
from relay.store.shelves.keeping import metered
from relay.store.slices import epoch_ms, from_epoch_ms

MOST_READ: Final = 1_000
"""Tokens whose texts are kept with what they mean."""


class RedisTokenShelf:
    """`ports.web.TokenShelf` over `line`."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._read: dict[str, tuple[str, ApiToken]] = {}

    async def add(self, token: ApiToken, entry: AuditEntry) -> bool:
        """See `ports.web.TokenShelf`."""
        hashes, text = (keys.TOKENS,), _text_of(token)
        return await self._line.insist(keep("add token", Keep.ADD, entry, hashes, token.id, text))

    async def get(self, token_id: str) -> ApiToken | None:
        """See `ports.web.TokenShelf`. One round trip."""
        found, used = await self._line.ask_all(
            [
                Command("get token", ("HGET", keys.TOKENS, token_id), as_is),
                Command("get token", ("HGET", keys.TOKENS_USED, token_id), as_is),
            ]
        )
        return None if found is None else _token_from(token_id, found, used)

    async def metered(
        self, token_id: str, per_minute: int, burst: int
    ) -> tuple[ApiToken | None, float]:
        """See `ports.web.TokenShelf`. One round trip."""
        told: list[Command[Any]] = [
            Command("get token", ("HGET", keys.TOKENS, token_id), as_is),
            metered(token_id, per_minute, burst),
        ]
        text, wait_s = await self._line.ask_all(told)
        return None if text is None else self._token_in(token_id, text), wait_s

    def _token_in(self, token_id: str, text: str) -> ApiToken:
        """The token that `text` describes, which is the same as last time nearly always."""
        known = self._read.get(token_id)
        if known is None or known[0] != text:
            while len(self._read) >= MOST_READ:
                del self._read[next(iter(self._read))]
            self._read[token_id] = known = (text, _token_from(token_id, text, None))
        return known[1]

    async def all(self) -> list[ApiToken]:
        """See `ports.web.TokenShelf`."""
        found, used = await self._line.ask_all(
            [
                Command("list tokens", ("HGETALL", keys.TOKENS), pairs),
                Command("list tokens", ("HGETALL", keys.TOKENS_USED), pairs),
            ]
        )
        return [_token_from(name, text, used.get(name)) for name, text in found.items()]

    async def remove(self, token_id: str, entry: AuditEntry) -> bool:
        """See `ports.web.TokenShelf`."""
        hashes = (keys.TOKENS, keys.TOKENS_USED)
        return await self._line.insist(keep("revoke token", Keep.REMOVE, entry, hashes, token_id))

    async def used(self, token_id: str, at: datetime) -> None:
        """See `ports.web.TokenShelf`."""
        words = ("HSET", keys.TOKENS_USED, token_id, epoch_ms(at))
        await self._line.ask(Command("note token", words, int))


def _text_of(token: ApiToken) -> str:
    return json.dumps(
        {
            "tenant": token.tenant,
            "scopes": sorted(token.scopes),
            "secret": token.secret,
            "name": token.name,
            "created_at": epoch_ms(token.created_at),
            "expires_at": None if token.expires_at is None else epoch_ms(token.expires_at),
        }
    )


def _token_from(token_id: str, text: str, used: str | None) -> ApiToken:
    told = json.loads(text)
    return ApiToken(
        id=token_id,
        tenant=told["tenant"],
        scopes=frozenset(map(Scope, told["scopes"])),
        secret=told["secret"],
        created_at=from_epoch_ms(told["created_at"]),
        name=told["name"],
        expires_at=None if told["expires_at"] is None else from_epoch_ms(told["expires_at"]),
        last_used_at=None if used is None else from_epoch_ms(int(used)),
    )
