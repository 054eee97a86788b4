"""Getting the embedded server's file onto the disk, before anything is sent on the strength of it.

The server writes every change to its file before it answers, which outlives a killed server and
a killed relay; a sync outlives a power cut. A reservation waits for one, and those that wait
together share it. What may be lost at the price of unused quota (settlements) is synced a moment
later. The server itself never stands still for the disk.
The sync is the work of a process apart (`relay/syncing`), which is asked over `sync_link.py`.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from relay.concurrency.company import Company, Meeting
from relay.core.errors import StoreTrouble
from relay.store.connections.outages import Outages
from relay.store.embedded.sync_link import SyncLink, Where
from relay.syncing.wire import FILES, SYNC

LAZY_S: Final = 0.25
"""How long a change that nobody waits for may not be on the disk."""


class Disk:
    """Asks the process that listens on the socket `where`. Every wait ends within `timeout_s`.

    Those of a crowd wait for each other: `company` tells who is coming
    (`relay/concurrency/company.py`).
    """

    def __init__(self, where: Where, timeout_s: float) -> None:
        self.company = Company()
        self._timeout_s = timeout_s
        self._link = SyncLink(where, self._ended)
        self._is_failing = False
        self._is_closing = False
        self._is_under_way = False
        self._is_behind = False
        self._meeting = Meeting(self._begin_for_all, self._coming)
        self._served: list[asyncio.Future[None]] = []
        self._waiting: list[asyncio.Future[None]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._outages = Outages()

    async def reached(self) -> None:
        """Wait until all that the server has answered so far is on the disk. Raises StoreTrouble.

        It may be on the disk all the same, or get there later.
        """
        await self.ended(self.begin())

    def begin(self) -> asyncio.Future[None]:
        """As `reached`, without waiting: that is `ended` of what is returned.

        The sync has been asked for when this returns, unless one is under way, after which
        comes the next; or unless there is a crowd, and more of it are coming.
        """
        reached = asyncio.get_running_loop().create_future()
        reached.add_done_callback(_noticed)
        self._waiting.append(reached)
        if not self._is_under_way:
            self._meeting.came()
        return reached

    async def ended(self, reached: asyncio.Future[None]) -> None:
        """Wait for what `begin` began. Raises StoreTrouble.

        A timer ends the waiting: asyncio.timeout costs three times as much.
        """
        loop = asyncio.get_running_loop()
        timer = None if reached.done() else loop.call_later(self._timeout_s, _too_late, reached)
        try:
            await reached
        except OSError as error:
            self._outages.failed("sync", error)
            raise StoreTrouble from error
        finally:
            if timer is not None:
                timer.cancel()
        self._outages.ended("sync")

    async def allows(self) -> None:
        """Raise StoreTrouble where the last sync failed and another one fails as well.

        For what is better not charged at all than charged and not sent.
        """
        if self._is_failing:
            await self.reached()

    def soon(self) -> None:
        """See to it that all that the server has answered so far is on the disk in a moment."""
        self._is_behind = True
        if self._timer is None and not self._is_closing:
            self._timer = asyncio.get_running_loop().call_later(LAZY_S, self._is_due)

    async def close(self) -> None:
        """Sync what is left, within `timeout_s`, and let go of the process."""
        self._is_closing = True
        if self._timer is not None:
            self._timer.cancel()
        with suppress(StoreTrouble):
            await self.reached()
        self._link.close()

    def _is_due(self) -> None:
        self._timer = None
        if self._is_behind and not self._is_under_way:
            self._begin()

    def _coming(self) -> int:
        return self.company.coming() + self.company.charging

    def _begin_for_all(self) -> int:
        if self._waiting and not self._is_under_way:
            self._begin()
        return len(self._served)

    def _begin(self) -> None:
        self._is_under_way, self._is_behind = True, False
        self._served, self._waiting = self._waiting, []
        self._link.ask(FILES if self._is_closing else SYNC)  # closing: whatever the server says

    def _ended(self, error: OSError | None) -> None:
        """Those it serves were there when it began; whoever came since needs another one."""
        self._is_under_way = False
        self._is_failing = error is not None
        served, self._served = self._served, []
        for one in served:
            if not one.done():
                one.set_exception(error) if error else one.set_result(None)
        if self._waiting:
            self._meeting.came()
        elif self._is_behind and self._timer is None:
            self._begin()


def _too_late(reached: asyncio.Future[None]) -> None:
    if not reached.done():
        reached.set_exception(TimeoutError())


def _noticed(reached: asyncio.Future[None]) -> None:
    """Not every sync is waited for: one that failed is no error of the program."""
    if not reached.cancelled():
        reached.exception()
