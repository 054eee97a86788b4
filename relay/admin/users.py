"""Users of the pages: made, signed in, signed out; passwords by argon2id.

A password costs 64 MiB and some 50 ms to check, so that few are checked at once and always in
a thread. A session is 256 random bits in a cookie, of which the store has only the hash.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256
from typing import Any, Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from relay.admin.recording import NOTHING, entry
from relay.core.tenants.audit import AuditEntry
from relay.core.tenants.users import (
    MOST_PASSWORD,
    Session,
    User,
    Viewer,
    check_name,
    check_password,
)
from relay.ports import Clock
from relay.ports.pages import Attempts, NoEntry, SessionShelf, UserShelf

SESSION: Final = timedelta(hours=12)
"""How long a session lasts, however busy."""

AT_ONCE: Final = 2
"""How many passwords are checked at the same time; more wait."""

WAITING: Final = 16
"""How many may wait for that; more are told to come again."""

FREE_PER_USER: Final = 5
FREE_PER_ADDRESS: Final = 20
_BUSY_S: Final = 5.0

_hasher = PasswordHasher()  # argon2id with the parameters of RFC 9106 §4, low memory


@dataclass(frozen=True, slots=True)
class Users:
    """Makes and changes users, for the command line. Raises BadUser or StoreTrouble.

    `actor` is who does it, for the audit log.
    """

    shelf: UserShelf
    clock: Clock
    actor: str

    async def add(self, name: str, tenant: str | None, password: str) -> User | None:
        """A new user; None if there is one of that name."""
        check_name(name)
        check_password(password)
        if await self.shelf.get(name) is not None:
            return None
        secret = await asyncio.to_thread(_hasher.hash, password)
        made = User(name, tenant, secret, _new_mark(), self.clock.now())
        told = self._entry("add-user", made, after={"tenant": tenant})
        return made if await self.shelf.add(made, told) else None

    async def set_password(self, name: str, password: str) -> bool:
        """Give a user another password, which ends their sessions. False if there is nobody."""
        check_password(password)
        found = await self.shelf.get(name)
        if found is None:
            return False
        secret = await asyncio.to_thread(_hasher.hash, password)
        changed = replace(found, secret=secret, mark=_new_mark())
        return await self.shelf.change(changed, self._entry("set-password", found))

    async def all(self) -> list[User]:
        """All of them, by name."""
        return sorted(await self.shelf.all(), key=lambda user: user.name)

    async def remove(self, name: str) -> bool:
        """Remove a user and so end their sessions. False if there is nobody."""
        found = await self.shelf.get(name)
        if found is None:
            return False
        told = self._entry("remove-user", found, before={"tenant": found.tenant})
        return await self.shelf.remove(name, told)

    def _entry(
        self,
        action: str,
        user: User,
        before: Mapping[str, Any] = NOTHING,
        after: Mapping[str, Any] = NOTHING,
    ) -> AuditEntry:
        now, whose, subject = self.clock.now(), user.tenant or "", f"user {user.name}"
        return entry(now, self.actor, action, whose, subject, before=before, after=after)


class SigningIn:
    """Implements `ports.pages.SignIn`. `clock` is the real one: people sit before the pages."""

    def __init__(
        self, users: UserShelf, sessions: SessionShelf, attempts: Attempts, clock: Clock
    ) -> None:
        self._users = users
        self._sessions = sessions
        self._attempts = attempts
        self._clock = clock
        # As dear to check as anybody's: how long an answer takes tells no names.
        self._nobodys = _hasher.hash(secrets.token_urlsafe(32))
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    async def sign_in(self, name: str, password: str, address: str) -> str:
        """See `ports.pages.SignIn`."""
        tried = (f"user:{_digest(name)}", f"address:{_digest(address)}")
        for each, free in zip(tried, (FREE_PER_USER, FREE_PER_ADDRESS), strict=True):
            if wait_s := await self._attempts.take(each, free):
                raise NoEntry(wait_s)
        found = await self._users.get(name)
        secret = found.secret if found else self._nobodys
        if not await self._is_right(secret, password) or found is None:
            raise NoEntry
        await self._attempts.clear(tried[0])
        await self._attempts.forgive(tried[1], FREE_PER_ADDRESS)  # an office signs in from one
        text = secrets.token_urlsafe(32)
        session = Session(found.name, found.mark, secrets.token_urlsafe(32), self._clock.now())
        await self._sessions.put(_digest(text), session, SESSION.total_seconds())
        return text

    async def _is_right(self, secret: str, password: str) -> bool:
        if self._waiting >= WAITING:
            raise NoEntry(_BUSY_S)
        self._waiting += 1
        try:
            async with self._turns:
                return await asyncio.to_thread(_verify, secret, password)
        finally:
            self._waiting -= 1

    async def viewer(self, text: str) -> Viewer | None:
        """See `ports.pages.SignIn`."""
        session = await self._sessions.get(_digest(text))
        if session is None or self._clock.now() - session.started_at >= SESSION:
            return None  # the store forgets it by itself, by its own clock
        user = await self._users.get(session.user)
        if user is None or user.mark != session.mark:
            return None
        return Viewer(user.name, user.tenant, session.csrf)

    async def sign_out(self, text: str) -> None:
        """See `ports.pages.SignIn`."""
        await self._sessions.remove(_digest(text))


def _verify(secret: str, password: str) -> bool:
    try:
        return len(password) <= MOST_PASSWORD and _hasher.verify(secret, password)
    except (VerificationError, InvalidHashError):
        return False


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _new_mark() -> str:
    return secrets.token_urlsafe(12)
