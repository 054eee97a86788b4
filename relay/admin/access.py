"""Tokens of the HTTP API: made, shown once, hashed at rest, checked, revoked.

A token is `wrk_<id>_<secret>`. The id finds its record; the secret is 256 random bits, of
which only a keyed hash is kept (`settings/tokens.py` says why a fast one is right).
"""

from __future__ import annotations

import secrets
from base64 import b32hexencode
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from relay.admin.recording import NOTHING, entry
from relay.core.errors import StoreTrouble
from relay.core.quota.wording import timestamp
from relay.core.tenants.access import ApiToken, BadGrant, Scope, check_grant, check_token_name
from relay.core.tenants.audit import AuditEntry
from relay.ports import Clock
from relay.ports.web import TokenShelf
from relay.settings.tokens import DUMMY_SECRET, hash_token, verify_token

PREFIX: Final = "wrk_"
USE_NOTED_EVERY: Final = timedelta(minutes=5)
MOST_PROVEN: Final = 1_000
"""Tokens that are known as they were last: what the store has of them is asked each time."""
_ID_BYTES = 10
_SECRET_BYTES = 32


class Access:
    """Implements `ports.web.Access` and `ports.pages.Tokens`; the command line's way to them."""

    def __init__(self, shelf: TokenShelf, clock: Clock) -> None:
        self._shelf = shelf
        self._clock = clock
        self._proven: dict[str, ApiToken] = {}

    async def create(
        self,
        tenant: str | None,
        scopes: frozenset[Scope],
        name: str = "",
        lives_s: float | None = None,
        *,
        actor: str,
    ) -> tuple[ApiToken, str]:
        """See `ports.pages.Tokens`."""
        check_grant(tenant, scopes)
        check_token_name(name)
        token_id = b32hexencode(secrets.token_bytes(_ID_BYTES)).decode().lower()
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        now = self._clock.now()
        made = ApiToken(token_id, tenant, scopes, hash_token(secret), now, name, _end(now, lives_s))
        told = _entry(now, actor, "create-token", made, after=_shown(made))
        await self._shelf.add(made, told)
        return made, f"{PREFIX}{token_id}_{secret}"

    async def bearer(self, text: str) -> ApiToken | None:
        """See `ports.web.Access`."""
        token_id, secret = _parts(text)
        found = await self._shelf.get(token_id) if token_id else None
        is_right = verify_token(secret, found.secret if found else DUMMY_SECRET)
        now = self._clock.now()
        if found is None or not is_right or not found.is_live(now):
            return None
        return await self._noted(found, now)

    async def admitted(
        self, text: str, per_minute: int, burst: int
    ) -> tuple[ApiToken, float] | None:
        """See `ports.web.Access`. One round trip for a token that was proven before."""
        token_id, secret = _parts(text)
        proven = self._proven.get(token_id)
        is_right = verify_token(secret, proven.secret if proven else DUMMY_SECRET)
        if proven is None or not is_right:
            proven = await self.bearer(text)
            if proven is None:
                return None
        found, wait_s = await self._shelf.metered(token_id, per_minute, burst)
        now = self._clock.now()
        if found is None or found.secret != proven.secret or not found.is_live(now):
            self._proven.pop(token_id, None)
            return None
        noted = await self._noted(replace(found, last_used_at=proven.last_used_at), now)
        while len(self._proven) >= MOST_PROVEN and token_id not in self._proven:
            del self._proven[next(iter(self._proven))]
        self._proven[token_id] = noted
        return noted, wait_s

    async def tokens(self) -> list[ApiToken]:
        """See `ports.pages.Tokens`."""
        return sorted(await self._shelf.all(), key=lambda token: token.created_at)

    async def revoke(self, token_id: str, *, actor: str) -> bool:
        """See `ports.pages.Tokens`."""
        found = await self._shelf.get(token_id)
        if found is None:
            return False
        told = _entry(self._clock.now(), actor, "revoke-token", found, before=_shown(found))
        return await self._shelf.remove(token_id, told)

    async def _noted(self, token: ApiToken, now: datetime) -> ApiToken:
        """Write down that it was used, not more often than is of use to anybody."""
        last = token.last_used_at
        if last is not None and timedelta(0) <= now - last < USE_NOTED_EVERY:
            return token
        with suppress(StoreTrouble):  # nobody is turned away for the sake of a note
            await self._shelf.used(token.id, now)
        return replace(token, last_used_at=now)


def _parts(text: str) -> tuple[str, str]:
    """Id and secret of what may be a token; empty for what has not its form."""
    if not text.startswith(PREFIX):
        return "", ""
    token_id, _, secret = text.removeprefix(PREFIX).partition("_")
    return token_id, secret


def _end(now: datetime, lives_s: float | None) -> datetime | None:
    try:
        return None if lives_s is None else now + timedelta(seconds=lives_s)
    except OverflowError:
        raise BadGrant("a token cannot live for so long") from None


def _entry(
    now: datetime,
    actor: str,
    action: str,
    token: ApiToken,
    before: Mapping[str, Any] = NOTHING,
    after: Mapping[str, Any] = NOTHING,
) -> AuditEntry:
    whose, subject = token.tenant or "", f"token {token.id}"
    return entry(now, actor, action, whose, subject, before=before, after=after)


def _shown(token: ApiToken) -> dict[str, Any]:
    return {
        "name": token.name,
        "scopes": sorted(token.scopes),
        "expires_at": timestamp(token.expires_at) if token.expires_at else None,
    }
