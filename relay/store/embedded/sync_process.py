"""The process that syncs the store's file, as its owner sees it: started, looked after, ended.

Only for whoever owns the store; how all processes ask it is `sync_link.py`, what it does
`relay/syncing`. The owner listens and the process accepts, so that who connects while it is
started again waits for a moment and is served.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

import relay
from relay.concurrency.waiting import set_within
from relay.store.embedded.pauses import Pauses
from relay.store.embedded.server_process import environment
from relay.store.embedded.sync_pulse import Pulse
from relay.store.ownership import Home
from relay.store.troubles import StoreUnusable

log = logging.getLogger(__name__)

LOOK_S: Final = 0.1
PROBE_S: Final = 0.01
READY_S: Final = 60.0
HUNG_S: Final = 2.0
"""How much longer than the server it may be silent: a sync takes time too."""

END_S: Final = 2.0
"""How long the sync under way may take when all ends; then it is killed."""

TOLD_BYTES: Final = 1000


class SyncProcess:
    """One that runs, or ran. Spawn it in the main thread: the kernel ends it with its parent."""

    def __init__(self, home: Home, listener: socket.socket, timeout_s: float) -> None:
        """Start it. Raises OSError."""
        words = [str(listener.fileno()), str(home.appended.absolute())]
        words += [str(home.pointer.absolute()), f"{timeout_s:g}"]
        self._process = subprocess.Popen(  # noqa: S603  # our own module, and paths
            # -S, for it needs nothing installed: half of the time that it takes to start.
            [sys.executable, "-P", "-S", "-m", "relay.syncing", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=_environment(),
            pass_fds=(listener.fileno(),),
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def returncode(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def said(self) -> str:
        """The end of what it said when it died by itself."""
        assert self._process.stderr is not None
        with suppress(OSError):
            os.set_blocking(self._process.stderr.fileno(), False)
            told = self._process.stderr.read() or b""
            return told[-TOLD_BYTES:].decode(errors="replace").strip()
        return ""

    def let_go(self) -> None:
        """It ends by itself, after the sync that is under way."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    def kill(self) -> None:
        """End it. While the disk holds it, it lives on."""
        self._process.kill()

    def close(self) -> None:
        """Close our ends, when it is dead."""
        assert self._process.stderr is not None
        self.let_go()
        self._process.stderr.close()


class Syncer:
    """Keeps a SyncProcess. `start` it, `run` it beside the relay's tasks, and `stop` it."""

    def __init__(self, home: Home, timeout_s: float) -> None:
        """Listen in `home`, whose server's socket is noted. Raises StoreUnusable.

        `timeout_s` is how long the server may take to answer the process.
        """
        self._home = home
        self._timeout_s = timeout_s
        self._process: SyncProcess | None = None
        self._pulse = Pulse(home.noted_sync_socket)
        self._listener = _listening(home.noted_sync_socket())

    @property
    def pid(self) -> int:
        """The process id; 0 while there is none."""
        return self._process.pid if self._process else 0

    def start(self) -> None:
        """Start the process; it is ready a moment later. Raises StoreUnusable."""
        try:
            self._process = SyncProcess(self._home, self._listener, self._timeout_s)
        except OSError as error:
            raise StoreUnusable(f"cannot run {sys.executable}: {error}") from error

    async def ready(self) -> None:
        """Wait until it answers. Raises StoreUnusable, with what it said."""
        for _ in range(int(READY_S / PROBE_S)):
            if self._process is None or self._process.returncode() is not None:
                said = self._process.said() if self._process else ""
                raise StoreUnusable(
                    f"the process that syncs the store's file ended at once: {said}"
                )
            if self._pulse.beats():
                return
            await asyncio.sleep(PROBE_S)
        raise StoreUnusable(f"what syncs the store's file was not ready within {READY_S:g} s")

    async def run(self, stop: asyncio.Event) -> None:
        """Start it again whenever it died or hangs, until `stop` is set."""
        pauses = Pauses()
        while not await set_within(stop, LOOK_S):
            if self._process and self._lives(self._process):
                continue
            self._bury()
            if await set_within(stop, pauses.next_s()):
                return
            try:
                self.start()
            except StoreUnusable as error:
                log.error("the process that syncs the store's file does not start: %s", error)  # noqa: TRY400

    async def stop(self) -> None:
        """End it, and listen no more."""
        self._listener.close()
        self._pulse.close()
        if self._process is None:
            return
        self._process.let_go()
        if not await self._ended(END_S):
            self._process.kill()
            await self._ended(LOOK_S)
        self._bury()

    async def _ended(self, patience_s: float) -> bool:
        for _ in range(int(patience_s / PROBE_S)):
            if self._process is None or self._process.returncode() is not None:
                return True
            await asyncio.sleep(PROBE_S)
        return False

    def _lives(self, process: SyncProcess) -> bool:
        code = process.returncode()
        if code is not None:
            said = process.said()
            log.error(
                "the process that syncs the store's file ended (code %s); starting it again%s",
                code,
                f": {said}" if said else "",
            )
            return False
        self._pulse.beats()
        if self._pulse.silent_for == int((self._timeout_s + HUNG_S) / LOOK_S):
            log.error("the process that syncs the store's file does not answer; it is ended")
            process.kill()  # another starts when it is dead: a disk that holds it would hold both
        return True

    def _bury(self) -> None:
        self._pulse.close()
        if self._process is not None:
            self._process.close()
            self._process = None


def _environment() -> dict[str, str]:
    """The server's, and where Python and this package are."""
    found = environment() | {"PYTHONPATH": str(Path(relay.__file__).resolve().parents[1])}
    home = os.environ.get("PYTHONHOME")
    return found | {"PYTHONHOME": home} if home else found


def _listening(path: Path | None) -> socket.socket:
    if path is None:
        raise StoreUnusable("where the store's server listens is not noted")
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.unlink(missing_ok=True)
        made.bind(str(path))
        path.chmod(0o700)
        made.listen()
    except OSError as error:
        made.close()
        raise StoreUnusable(f"cannot use {path}: {error}") from error
    return made
