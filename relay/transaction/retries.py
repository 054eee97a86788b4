"""Which earlier attempt makes a message a retry (rule 3): what its marks and its client tell.

Reads no store and writes none; `charging.py` asks before it charges.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from relay.core.errors import StillUnderWay
from relay.core.quota.reservation import Mark, process_of
from relay.ports import Instances


class Retries:
    """`session_is_alive` tells of sessions of this process only; `instances` of the others."""

    def __init__(self, instances: Instances, session_is_alive: Callable[[str], bool]) -> None:
        self._instances = instances
        self._session_is_alive = session_is_alive
        self._here: dict[str, set[str]] = {}

    def begin(self, fingerprint: str | None, session: str) -> None:
        """`session` is at the message from now on, and the store may not know of it yet.

        Raises StillUnderWay where another session of this process is, whose client has gone.
        Else followed by `end`.
        """
        if fingerprint is not None:
            if self.is_left_by_another(fingerprint, session):
                raise StillUnderWay
            self._here.setdefault(fingerprint, set()).add(session)

    def is_left_by_another(self, fingerprint: str | None, session: str) -> bool:
        """Whether another session of this process is at it, and its client has gone."""
        others = self._here.get(fingerprint, ()) if fingerprint is not None else ()
        return any(other != session and self.has_left(other) for other in others)

    def end(self, fingerprint: str | None, session: str) -> None:
        """The store knows what became of it, or was never asked. May be said twice."""
        if fingerprint is not None and (sessions := self._here.get(fingerprint)):
            sessions.discard(session)
            if not sessions:
                del self._here[fingerprint]

    async def unheard_session(self, marks: Mapping[str, Mark]) -> str | None:
        """The session of an attempt that was taken and never heard of, if any.

        An attempt whose client is still connected is another mail, however alike. Raises
        StillUnderWay where an attempt's client is gone and its outcome is still open.
        """
        for session, mark in marks.items():
            if mark is Mark.GONE or (mark is Mark.TAKEN and not await self._is_alive(session)):
                return session
        if Mark.LEFT in marks.values():
            raise StillUnderWay
        return None

    async def unheard_sessions(self, attempts: Sequence[Mapping[str, Mark]]) -> list[str | None]:
        """The same for many, each different set of marks asked about once: it may take seconds."""
        known: dict[frozenset[tuple[str, Mark]], str | None] = {}
        for marks in attempts:
            key = frozenset(marks.items())
            if key not in known:
                known[key] = await self.unheard_session(marks)
        return [known[frozenset(marks.items())] for marks in attempts]

    def has_left(self, session: str) -> bool:
        """Whether `session` is one of ours, and its client is gone."""
        is_ours = process_of(session) == self._instances.own
        return is_ours and not self._session_is_alive(session)

    async def _is_alive(self, session: str) -> bool:
        instance = process_of(session)
        if instance == self._instances.own:
            return self._session_is_alive(session)
        return await self._instances.is_alive(instance)
