"""The embedded store: a private server below `data_dir`, for one relay, and only while it runs.

Owns its life: start, restart after a crash, stop; and beside it that of the process that syncs
its file (`sync_process.py`). Knows nothing of quota; whoever asks the server meanwhile gets
StoreTrouble from `connections/line.py`.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from pathlib import Path
from typing import Final

from relay.concurrency.waiting import set_within
from relay.store.embedded.pauses import Pauses
from relay.store.embedded.recovery import hint_on, look_over, tell_of_cut
from relay.store.embedded.server_process import STOP_S, ServerProcess, find_binary, options
from relay.store.embedded.sync_process import Syncer
from relay.store.ownership import Home, Lock, own, url_of
from relay.store.troubles import StoreUnusable

log = logging.getLogger(__name__)

READY_S: Final = 60.0
"""How long a server may be silent after its start."""

LOAD_S: Final = 900.0
"""How long one that says that it loads its file may take: a million routes are 0.7 GB."""

GONE_S: Final = 10.0
"""How long the server of a relay that was killed may take to die."""

WATCH_S: Final = 0.1
PROBE_S: Final = 0.02
SYNC_S: Final = 2.0
"""How long the server may take to tell whether it could write, before a sync."""

LOG_TAIL_BYTES: Final = 2000


BORROWERS_S: Final = 3.0
"""How long the store of a command stays for other commands that use it."""


class EmbeddedStore:
    """A private server. `start` it, `run` beside the relay's other tasks, and `stop` it."""

    def __init__(
        self, home: Home, owner: Lock, socket: Path, syncer: Syncer, *, waits: bool = False
    ) -> None:
        self._home = home
        self._waits = waits
        self._owner = owner
        self._socket = socket
        self._syncer = syncer
        self._process: ServerProcess | None = None

    @classmethod
    async def start(
        cls, data_dir: Path, sync_s: float = SYNC_S, *, waits: bool = False
    ) -> EmbeddedStore:
        """Own `data_dir` and start a server there; it is ready when this returns.

        A sync waits up to `sync_s` for the server. `waits`: its end waits a while for other
        commands that use it. Call it in the main thread. Raises
        StoreUnusable: another owner, no server program, a damaged file, one that does not answer.
        """
        home = Home(data_dir)
        home.prepare()
        owner = await own(home)
        try:
            socket = home.socket()
            store = cls(home, owner, socket, Syncer(home, sync_s), waits=waits)
        except BaseException:
            owner.close()
            raise
        await store._begin()
        return store

    @property
    def url(self) -> str:
        """Where the server listens, as a unix:// URL."""
        return url_of(self._socket)

    @property
    def pid(self) -> int:
        """The server's process id; 0 while there is none."""
        return self._process.pid if self._process else 0

    async def run(self, stop: asyncio.Event) -> None:
        """Start again whichever of the two died, until `stop` is set."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._syncer.run(stop))
            group.create_task(self._keep(stop))

    async def _begin(self) -> None:
        """Both at once, for each takes its time. Raises StoreUnusable, and then none runs."""
        try:
            self._syncer.start()
            await self._serve()
            await self._syncer.ready()
        except BaseException:
            if self._process is not None:
                self._process.kill()
            await self._syncer.stop()
            self._owner.close()
            raise

    async def _keep(self, stop: asyncio.Event) -> None:
        pauses = Pauses()
        while not await set_within(stop, WATCH_S):
            code = self._process.returncode() if self._process else None
            if self._process and code is None:
                continue
            if self._process:
                log.error("the embedded store ended (code %s); starting it again", code)
            self._process = None
            if await set_within(stop, pauses.next_s()):
                return
            try:
                await self._serve()
            except StoreUnusable as error:
                log.error("the embedded store does not start: %s", error)  # noqa: TRY400

    async def stop(self) -> None:
        """End the server, in order if it can within `STOP_S`, and give the directory up."""
        borrowers = Lock(self._home.borrowers)
        if self._waits:
            with suppress(StoreUnusable):
                await borrowers.take(BORROWERS_S)
        if self._process is not None:
            self._process.terminate()
            await self._ended(STOP_S)
            self._process.kill()
            self._process = None
        await self._syncer.stop()
        self._home.tidy()
        self._owner.close()
        borrowers.close()

    async def _ended(self, patience_s: float) -> None:
        for _ in range(int(patience_s / PROBE_S)):
            if self._process is None or self._process.returncode() is not None:
                return
            await asyncio.sleep(PROBE_S)

    async def _serve(self) -> None:
        """Start a server and wait until it answers. Raises StoreUnusable, and then none runs."""
        lock = Lock(self._home.server_lock)
        if not await lock.take(GONE_S):
            raise StoreUnusable(
                f"the store server of an earlier relay still runs in {self._home.directory}"
                f" {GONE_S:g} s after its end; end it by hand"
            )
        try:
            size = look_over(self._home.appended)
            self._socket.unlink(missing_ok=True)
            log_from = self._home.log.stat().st_size if self._home.log.exists() else 0
            command = options(self._home.directory, self._socket, self._home.log)
            program = str(find_binary())
            process = ServerProcess([program, *command], self._home.directory, lock.fd)
        except OSError as error:
            raise StoreUnusable(f"cannot use {self._home.directory}: {error}") from error
        finally:
            lock.close()  # the server holds it now
        try:
            await self._ready(process)
        except BaseException:
            process.kill()
            raise
        self._process = process
        with suppress(OSError):
            tell_of_cut(size, self._home.log.read_bytes()[log_from:])

    async def _ready(self, process: ServerProcess) -> None:
        loop, is_loading = asyncio.get_running_loop(), False
        began = loop.time()
        while not (answer := await answer_on(self._socket)).startswith(b"+PONG"):
            if process.returncode() is not None:
                tail = self._tail()
                raise StoreUnusable(
                    f"the store server ended at once; its log:\n{tail}{hint_on(tail)}"
                )
            if answer.startswith(b"-LOADING") and not is_loading:
                log.info("the embedded store loads its file")
                is_loading = True
            limit_s = LOAD_S if is_loading else READY_S
            if loop.time() > began + limit_s:
                raise StoreUnusable(f"not ready within {limit_s:g} s; its log:\n{self._tail()}")
            await asyncio.sleep(PROBE_S)

    def _tail(self) -> str:
        with suppress(OSError):
            return self._home.log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace")
        return "(none)"


async def answer_on(socket: Path) -> bytes:
    """What the server says to PING: an error while it still loads its file; empty for nothing."""
    with suppress(OSError):
        async with asyncio.timeout(1):
            reader, writer = await asyncio.open_unix_connection(str(socket))
            try:
                writer.write(b"PING\r\n")
                return await reader.readline()
            finally:
                writer.close()
    return b""
