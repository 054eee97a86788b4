"""Users, sessions and attempts at passwords in the store: for `ports.pages`.

A hash holds every user, a field each; a change is one step with its entry in the audit log.
Sessions and attempts are keys with an expiry; losing one costs a sign-in, never quota.
"""

from __future__ import annotations

import json
import time
from typing import Final

from relay.core.tenants.audit import AuditEntry
from relay.core.tenants.users import Session, User
from relay.store import keys
from relay.store.commands import Command, as_is, evalsha, pairs, script
from relay.store.connections.line import Line
from relay.store.shelves.audit_log import Keep, keep
from relay.store.slices import epoch_ms, from_epoch_ms

FIRST_LOCK_MS: Final = 10_000
LONGEST_LOCK_MS: Final = 900_000


class RedisUserShelf:
    """`ports.pages.UserShelf` over `line`."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def add(self, user: User, entry: AuditEntry) -> bool:
        """See `ports.pages.UserShelf`."""
        return await self._keep("add user", Keep.ADD, entry, user)

    async def change(self, user: User, entry: AuditEntry) -> bool:
        """See `ports.pages.UserShelf`."""
        return await self._keep("change user", Keep.CHANGE, entry, user)

    async def get(self, name: str) -> User | None:
        """See `ports.pages.UserShelf`."""
        text = await self._line.ask(Command("get user", ("HGET", keys.USERS, name), as_is))
        return None if text is None else _user_from(name, text)

    async def all(self) -> list[User]:
        """See `ports.pages.UserShelf`."""
        found = await self._line.ask(Command("list users", ("HGETALL", keys.USERS), pairs))
        return [_user_from(name, text) for name, text in found.items()]

    async def remove(self, name: str, entry: AuditEntry) -> bool:
        """See `ports.pages.UserShelf`."""
        hashes = (keys.USERS,)
        return await self._line.insist(keep("remove user", Keep.REMOVE, entry, hashes, name))

    async def _keep(self, verb: str, how: Keep, entry: AuditEntry, user: User) -> bool:
        hashes, text = (keys.USERS,), _user_text(user)
        return await self._line.insist(keep(verb, how, entry, hashes, user.name, text))


class RedisSessionShelf:
    """`ports.pages.SessionShelf` over `line`."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def put(self, digest: str, session: Session, lives_s: float) -> None:
        """See `ports.pages.SessionShelf`."""
        words = ("SET", keys.session(digest), _session_text(session), "PX", int(lives_s * 1000))
        await self._line.insist(Command("put session", words, as_is))

    async def get(self, digest: str) -> Session | None:
        """See `ports.pages.SessionShelf`."""
        text = await self._line.ask(Command("get session", ("GET", keys.session(digest)), as_is))
        if text is None:
            return None
        told = json.loads(text)
        return Session(**(told | {"started_at": from_epoch_ms(told["started_at"])}))

    async def remove(self, digest: str) -> None:
        """See `ports.pages.SessionShelf`."""
        await self._line.insist(Command("end session", ("DEL", keys.session(digest)), int))


class RedisAttempts:
    """`ports.pages.Attempts` over `line`, by the machine's clock: locks are of real time."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def take(self, name: str, free: int) -> float:
        """See `ports.pages.Attempts`."""
        now = time.time_ns() // 1_000_000
        arguments = (now, free, FIRST_LOCK_MS, LONGEST_LOCK_MS)
        command = evalsha("attempt", script("attempt"), (keys.attempts(name),), arguments, int)
        return await self._line.ask(command) / 1000

    async def clear(self, name: str) -> None:
        """See `ports.pages.Attempts`."""
        await self._line.insist(Command("clear attempts", ("DEL", keys.attempts(name)), int))

    async def forgive(self, name: str, free: int) -> None:
        """See `ports.pages.Attempts`. Said once: twice would forgive two."""
        names = (keys.attempts(name),)
        await self._line.ask(evalsha("forgive", script("forgive"), names, (free,), int))


def _user_text(user: User) -> str:
    return json.dumps(
        {
            "tenant": user.tenant,
            "secret": user.secret,
            "mark": user.mark,
            "created_at": epoch_ms(user.created_at),
        }
    )


def _user_from(name: str, text: str) -> User:
    told = json.loads(text)
    return User(name=name, **(told | {"created_at": from_epoch_ms(told["created_at"])}))


def _session_text(session: Session) -> str:
    return json.dumps(
        {
            "user": session.user,
            "mark": session.mark,
            "csrf": session.csrf,
            "started_at": epoch_ms(session.started_at),
        }
    )
