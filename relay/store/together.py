"""Idempotent commands that nobody waits for at once, said a moment later and several at a time.

One conversation costs more than the commands in it. Knows nothing of what they mean.
"""

from __future__ import annotations

import asyncio
from typing import Final

from relay.core.errors import StoreTrouble
from relay.store.commands import Command
from relay.store.connections.line import Line

GATHER_S: Final = 0.01
"""How long the first one waits for company."""

MOST: Final = 100
"""In one conversation: reservations come between, and a server takes them in turn."""


class _Group:
    """Commands that are said together; `over` is done when they were, or could not be.

    `joined` are those who wait beside the first one.
    """

    __slots__ = ("about", "commands", "joined", "over")

    def __init__(self) -> None:
        self.commands: list[Command[None]] = []
        self.about: set[str] = set()
        self.joined: list[asyncio.Future[None]] = []
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class Together:
    """Gathers what is said over `line`. Whoever comes first waits for the others, and says all."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._group: _Group | None = None
        self._waiting: dict[str, _Group] = {}

    async def insist(self, about: str, command: Command[None]) -> None:
        """As `Line.insist`, up to GATHER_S later. Raises StoreTrouble.

        `about` names what it changes: see `settled`.
        """
        group = self._group
        if group is None:
            await self._lead(about, command)
            return
        self._join(group, about, command)
        mine = asyncio.get_running_loop().create_future()
        group.joined.append(mine)
        await mine

    async def settled(self, about: str) -> None:
        """Wait until what was given `about` it was said, or could not be. Never raises."""
        if group := self._waiting.get(about):
            await asyncio.wait((group.over,))

    async def _lead(self, about: str, command: Command[None]) -> None:
        group = self._group = _Group()
        self._join(group, about, command)
        error: StoreTrouble | None = StoreTrouble()  # what the others hear if this is cancelled
        try:
            await asyncio.sleep(GATHER_S)
            self._close(group)
            await self._line.insist_all(group.commands)
            error = None
        finally:
            self._close(group)
            self._end(group, error)

    def _join(self, group: _Group, about: str, command: Command[None]) -> None:
        group.commands.append(command)
        group.about.add(about)
        self._waiting[about] = group
        if len(group.commands) >= MOST:
            self._close(group)

    def _close(self, group: _Group) -> None:
        if self._group is group:
            self._group = None

    def _end(self, group: _Group, error: StoreTrouble | None) -> None:
        for about in group.about:
            if self._waiting.get(about) is group:
                del self._waiting[about]
        group.over.set_result(None)
        for one in group.joined:
            if not one.done():
                one.set_exception(error) if error else one.set_result(None)
