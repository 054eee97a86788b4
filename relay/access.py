"""Tokens of the HTTP API: made, shown once, hashed at rest, checked, revoked.

A token is `wrk_<id>_<secret>`. The id finds its record; the secret is 256 random bits, of
which only a keyed hash is kept (`settings/tokens.py` says why a fast one is right).
"""

from __future__ import annotations

import secrets
from base64 import b32hexencode
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from relay.core.access import ApiToken, Scope, check_grant
from relay.core.errors import StoreTrouble
from relay.ports import Clock
from relay.ports_web import TokenShelf
from relay.settings.tokens import DUMMY_SECRET, hash_token, verify_token

PREFIX: Final = "wrk_"
USE_NOTED_EVERY: Final = timedelta(minutes=5)
_ID_BYTES = 10
_SECRET_BYTES = 32


class Access:
    """Implements `ports_web.Access`; the command line makes and revokes tokens through it."""

    def __init__(self, shelf: TokenShelf, clock: Clock) -> None:
        self._shelf = shelf
        self._clock = clock

    async def create(
        self,
        tenant: str | None,
        scopes: frozenset[Scope],
        name: str = "",
        lives_s: float | None = None,
    ) -> tuple[ApiToken, str]:
        """A new token, and the text of it, which nobody can get again.

        `lives_s` None is for ever. Raises BadGrant or StoreTrouble.
        """
        check_grant(tenant, scopes)
        token_id = b32hexencode(secrets.token_bytes(_ID_BYTES)).decode().lower()
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        now = self._clock.now()
        expires_at = None if lives_s is None else now + timedelta(seconds=lives_s)
        made = ApiToken(token_id, tenant, scopes, hash_token(secret), now, name, expires_at)
        await self._shelf.put(made)
        return made, f"{PREFIX}{token_id}_{secret}"

    async def bearer(self, text: str) -> ApiToken | None:
        """See `ports_web.Access`."""
        token_id, _, secret = text.removeprefix(PREFIX).partition("_")
        found = await self._shelf.get(token_id) if text.startswith(PREFIX) else None
        is_right = verify_token(secret, found.secret if found else DUMMY_SECRET)
        now = self._clock.now()
        if found is None or not is_right or not found.is_live(now):
            return None
        return await self._noted(found, now)

    async def tokens(self) -> list[ApiToken]:
        """All of them, the oldest first. Raises StoreTrouble."""
        return sorted(await self._shelf.all(), key=lambda token: token.created_at)

    async def revoke(self, token_id: str) -> bool:
        """End it at once, everywhere. False if there is none. Raises StoreTrouble."""
        return await self._shelf.remove(token_id)

    async def _noted(self, token: ApiToken, now: datetime) -> ApiToken:
        """Write down that it was used, not more often than is of use to anybody."""
        last = token.last_used_at
        if last is not None and timedelta(0) <= now - last < USE_NOTED_EVERY:
            return token
        with suppress(StoreTrouble):  # nobody is turned away for the sake of a note
            await self._shelf.used(token.id, now)
        return replace(token, last_used_at=now)
