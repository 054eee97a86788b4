"""The sessions of this process: their ids, and which of them still have their client."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Protocol


class Guest(Protocol):
    """What the roster needs to know of a session."""

    @property
    def has_client(self) -> bool:
        """False as soon as the client has closed its side or the connection is lost."""

    def dismiss(self) -> None:
        """End the session as soon as it is between transactions (421 4.3.2)."""

    def cut_off(self) -> None:
        """End it at once, whatever is under way."""


class Roster:
    """Live sessions by id. `instance` is the id of this process (`ports.Instances.own`)."""

    def __init__(self, instance: str) -> None:
        self._instance = instance
        self._counter = 0
        self._guests: dict[str, Guest] = {}
        self._is_empty = asyncio.Event()
        self._is_empty.set()

    def __iter__(self) -> Iterator[Guest]:
        return iter(list(self._guests.values()))

    def __len__(self) -> int:
        return len(self._guests)

    def next_id(self) -> str:
        """A session id, unique over all relays and restarts: `<instance>.<counter>`."""
        self._counter += 1
        return f"{self._instance}.{self._counter}"

    def enter(self, session: str, guest: Guest) -> None:
        """`guest` is alive under the id `session` from now on."""
        self._guests[session] = guest
        self._is_empty.clear()

    def leave(self, session: str) -> None:
        """It is gone. May be called twice."""
        self._guests.pop(session, None)
        if not self._guests:
            self._is_empty.set()

    async def emptied(self) -> None:
        """Wait until there is no session."""
        await self._is_empty.wait()

    def session_is_alive(self, session: str) -> bool:
        """Whether the client of `session` could still hear an answer (rule 3)."""
        guest = self._guests.get(session)
        return guest is not None and guest.has_client
