"""Which earlier attempt makes a message a retry (rule 3): what its marks and its client tell.

Reads no store and writes none; `charging.py` asks before it charges.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from relay.core.errors import StillUnderWay
from relay.core.quota import Mark
from relay.ports import Instances


class Retries:
    """`session_is_alive` tells of sessions of this process only; `instances` of the others."""

    def __init__(self, instances: Instances, session_is_alive: Callable[[str], bool]) -> None:
        self._instances = instances
        self._session_is_alive = session_is_alive
        self._asking: dict[str, set[str]] = {}

    def begin_asking(self, fingerprint: str | None, session: str) -> None:
        """The store is being asked for the quota of a message: there is no mark of it yet.

        Raises StillUnderWay where it is asked already for a client that has gone meanwhile. Of
        this process only; another one may send a copy if it is asked in these milliseconds.
        Else followed by `end_asking`.
        """
        if fingerprint is not None:
            sessions = self._asking.setdefault(fingerprint, set())
            if sessions and any(map(self.has_left, sessions)):
                raise StillUnderWay
            sessions.add(session)

    def end_asking(self, fingerprint: str | None, session: str) -> None:
        """The store has answered, or has not."""
        if fingerprint is not None:
            sessions = self._asking.get(fingerprint, set())
            sessions.discard(session)
            if not sessions:
                self._asking.pop(fingerprint, None)

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
        is_ours = session.partition(".")[0] == self._instances.own
        return is_ours and not self._session_is_alive(session)

    async def _is_alive(self, session: str) -> bool:
        instance = session.partition(".")[0]
        if instance == self._instances.own:
            return self._session_is_alive(session)
        return await self._instances.is_alive(instance)
