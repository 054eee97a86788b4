"""Getting the embedded server's file onto the disk, before anything is sent on the strength of it.

The server writes every change to its file before it answers, which outlives a killed server and
a killed relay; here the file is synced, which outlives a power cut. A reservation waits for
that, and those that wait together share one sync. What may be lost at the price of unused quota
(settlements) is synced a moment later. The server itself never stands still for the disk.
It also goes on after a write that failed, so that is asked each time (`written.py`).
Knows the file's directory, and nothing of what is in it.
"""

from __future__ import annotations

import asyncio
import errno
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

from relay.core.errors import StoreTrouble
from relay.store.outages import Outages
from relay.store.written import Written

LAZY_S: Final = 0.25
"""How long a change that nobody waits for may not be on the disk."""

SPARE_BYTES: Final = 8 * 1024 * 1024
"""With less room than this nothing is sent: the rest is for what was sent to be settled."""

_SYNC: Final = os.fdatasync if sys.platform == "linux" else os.fsync
_ENDING: Final = ".incr.aof"
"""What is appended to. More than one while the server writes its file anew."""


class Disk:
    """Syncs the append-only files in `directory`. Every wait ends within `timeout_s`.

    `written` tells whether all that the server has answered is in those files.
    """

    def __init__(self, directory: Path, timeout_s: float, written: Written) -> None:
        self._directory = directory
        self._timeout_s = timeout_s
        self._written = written
        self._is_failing = False
        self._is_closing = False
        self._thread = ThreadPoolExecutor(1, "store-sync")
        self._files: dict[str, int] = {}
        self._waiting: list[asyncio.Future[None]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._work: asyncio.Future[None] | None = None
        self._outages = Outages()

    async def reached(self) -> None:
        """Wait until all that the server has answered so far is on the disk. Raises StoreTrouble.

        It may be on the disk all the same, or get there later.
        """
        await self.ended(self.begin())

    def begin(self) -> asyncio.Future[None]:
        """As `reached`, without waiting: that is `ended` of what is returned."""
        loop = asyncio.get_running_loop()
        reached = loop.create_future()
        reached.add_done_callback(_noticed)
        if not self._waiting and self._work is None:
            loop.call_soon(self._begin)  # together with those who come in this turn of the loop
        self._waiting.append(reached)
        return reached

    async def ended(self, reached: asyncio.Future[None]) -> None:
        """Wait for what `begin` began. Raises StoreTrouble."""
        try:
            async with asyncio.timeout(self._timeout_s):
                await reached
        except (OSError, TimeoutError) as error:
            self._outages.failed("sync", error)
            raise StoreTrouble from error
        self._outages.ended("sync")

    async def allows(self) -> None:
        """Raise StoreTrouble where the last sync failed and another one fails as well.

        For what is better not charged at all than charged and not sent.
        """
        if self._is_failing:
            await self.reached()

    def soon(self) -> None:
        """See to it that all that the server has answered so far is on the disk in a moment."""
        if self._timer is None and not self._work:
            self._timer = asyncio.get_running_loop().call_later(LAZY_S, self._begin)

    async def close(self) -> None:
        """Sync what is left, within `timeout_s`, and let go of the files."""
        self._is_closing = True
        with suppress(StoreTrouble):
            await self.reached()
        self._thread.submit(self._written.close)
        self._thread.shutdown(wait=False)
        files, self._files = self._files, {}
        for descriptor in files.values():
            os.close(descriptor)

    def _begin(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._work is None:
            waiting, self._waiting = self._waiting, []
            self._work = asyncio.get_running_loop().run_in_executor(self._thread, self._sync)
            self._work.add_done_callback(partial(self._ended, waiting))

    def _ended(self, waiting: list[asyncio.Future[None]], work: asyncio.Future[None]) -> None:
        """`waiting` were there when it began; whoever came since needs another one."""
        self._work = None
        error = None if work.cancelled() else work.exception()
        self._is_failing = error is not None
        for one in waiting:
            if not one.done():
                one.set_exception(error) if error else one.set_result(None)
        if self._waiting:
            self._begin()

    def _sync(self) -> None:
        """In the thread. The list of files first: what was answered before is in one of them."""
        names = {name for name in os.listdir(self._directory) if name.endswith(_ENDING)}  # noqa: PTH208 - a third of the time
        for name in self._files.keys() - names:
            os.close(self._files.pop(name))
        for name in names - self._files.keys():
            with suppress(FileNotFoundError):  # what was in it is in a new file, and on the disk
                self._open(name)
        if not self._is_closing:  # then nobody sends any more, whatever it says
            self._written.check()
        for descriptor in self._files.values():
            _SYNC(descriptor)
        room = os.statvfs(self._directory)
        if room.f_bavail * room.f_frsize < SPARE_BYTES:
            raise OSError(errno.ENOSPC, "the disk of the store is full", str(self._directory))

    def _open(self, name: str) -> None:
        self._files[name] = os.open(self._directory / name, os.O_RDONLY | os.O_CLOEXEC)


def _noticed(reached: asyncio.Future[None]) -> None:
    """Not every sync is waited for: one that failed is no error of the program."""
    if not reached.cancelled():
        reached.exception()
