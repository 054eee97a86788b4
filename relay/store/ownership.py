"""Who owns a data directory: locks that the kernel drops when their holder dies.

`store.lock` is held by the relay. `store/server.lock` is held by the server itself (it
inherits the descriptor), so that a new owner waits until the last server is really gone.
Beyond that only paths: where the socket is, and how another process finds it.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from relay.store.troubles import SecondOwner, StoreUnusable

SOCKET_PATH_BYTES: Final = 100
"""`sun_path` holds 108 bytes on Linux and 104 on macOS, the terminating zero included."""

LOG_BYTES: Final = 1_000_000
"""Above this the server's log is put aside at the next start; one older one is kept."""

ATTACH_S: Final = 0.5
POLL_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class Home:
    """The paths of an embedded store below `data_dir`."""

    data_dir: Path

    @property
    def lock(self) -> Path:
        """Held by the relay that owns the directory; its text is that relay's pid."""
        return self.data_dir / "store.lock"

    @property
    def directory(self) -> Path:
        """The server's own: append-only file, log, socket. Mode 0700."""
        return self.data_dir / "store"

    @property
    def appended(self) -> Path:
        """Where the server keeps its append-only files."""
        return self.directory / "appendonlydir"

    @property
    def server_lock(self) -> Path:
        """Held by the running server."""
        return self.directory / "server.lock"

    @property
    def borrowers(self) -> Path:
        """Held, shared, by whoever uses a store that a command began: it ends behind them."""
        return self.directory / "borrowers.lock"

    @property
    def log(self) -> Path:
        """What the server writes about itself."""
        return self.directory / "server.log"

    @property
    def pointer(self) -> Path:
        """Text: the path of the socket."""
        return self.directory / "socket.path"

    def prepare(self) -> None:
        """Make the directories. Raises StoreUnusable."""
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True)
            self.directory.mkdir(mode=0o700, exist_ok=True)
            self.directory.chmod(0o700)
            self.borrowers.touch(mode=0o600)
            if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
                self.log.replace(self.log.with_suffix(".log.1"))
        except OSError as error:
            raise StoreUnusable(f"cannot use {self.directory}: {error}") from error

    def socket(self) -> Path:
        """The socket's path, noted in `pointer`; in a short private directory if need be.

        Raises StoreUnusable.
        """
        wanted = self.directory.absolute() / "server.sock"
        try:
            if len(os.fsencode(wanted)) > SOCKET_PATH_BYTES:
                wanted = self._short_directory() / "server.sock"
            self.pointer.write_text(str(wanted), encoding="utf-8")
        except (OSError, UnicodeEncodeError) as error:
            raise StoreUnusable(f"cannot use {self.pointer}: {error}") from error
        return wanted

    def noted_socket(self) -> Path | None:
        """What `pointer` says, if anything; it is empty for a moment at each start."""
        with suppress(OSError, UnicodeDecodeError):
            noted = self.pointer.read_text(encoding="utf-8")
            return Path(noted) if noted else None
        return None

    def noted_sync_socket(self) -> Path | None:
        """Where the process that syncs the files listens: beside the server, if that is known."""
        noted = self.noted_socket()
        return noted.with_name("sync.sock") if noted else None

    def tidy(self) -> None:
        """Take away the sockets, and the short directory where there is one."""
        noted, beside = self.noted_socket(), self.noted_sync_socket()
        self.pointer.unlink(missing_ok=True)
        if noted is None or beside is None:
            return
        with suppress(OSError):
            noted.unlink(missing_ok=True)
            beside.unlink(missing_ok=True)
            if noted.parent != self.directory.absolute():
                noted.parent.rmdir()

    def _short_directory(self) -> Path:
        """The one of an earlier run if it is still there and ours, else a new one."""
        noted = self.noted_socket()
        with suppress(OSError):
            if noted and noted.parent != self.directory.absolute():
                found = noted.parent.lstat()
                if found.st_uid == os.getuid() and found.st_mode & 0o177777 == 0o040700:
                    return noted.parent
        short = tempfile.gettempdir() if len(tempfile.gettempdir()) < 60 else "/tmp"  # noqa: S108 - mkdtemp makes it  # nosec B108
        return Path(tempfile.mkdtemp(prefix="warmup-relay-", dir=short))


class Lock:
    """An exclusive lock on a file, for as long as the descriptor `fd` is open anywhere."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.fd = -1

    async def take(self, patience_s: float) -> bool:
        """Try until `patience_s` is over. Raises StoreUnusable where the file is refused."""
        try:
            self.fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreUnusable(f"cannot use {self._path}: {error}") from error
        until = asyncio.get_running_loop().time() + patience_s
        while not _locked(self.fd, fcntl.LOCK_EX):
            if asyncio.get_running_loop().time() > until:
                self.close()
                return False
            await asyncio.sleep(POLL_S)
        return True

    def sign(self) -> None:
        """Write this process's id into the file."""
        os.ftruncate(self.fd, 0)
        os.pwrite(self.fd, f"{os.getpid()}\n".encode(), 0)

    def close(self) -> None:
        """Close our descriptor; a child that inherited it holds the lock on."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class Borrower:
    """A hold on a store that may be a command's, until `close`."""

    def __init__(self, fd: int = -1) -> None:
        self._fd = fd

    @classmethod
    def enter(cls, home: Home) -> Borrower | None:
        """None where the store ends just now. Holds nothing where the file cannot be read."""
        try:
            fd = os.open(home.borrowers, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return cls()
        if _locked(fd, fcntl.LOCK_SH):
            return cls(fd)
        os.close(fd)
        return None

    def close(self) -> None:
        """May be said twice."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


async def own(home: Home) -> Lock:
    """Become the owner of `home`. Raises SecondOwner if a living process is."""
    lock = Lock(home.lock)
    # An `attach` elsewhere may hold the lock for a moment; an owner holds it for good.
    if not await lock.take(ATTACH_S):
        pid = _signed(home.lock)
        raise SecondOwner(
            f"{home.data_dir} belongs to another relay (process {pid or 'unknown'}):"
            " stop it, or give this one a data_dir of its own",
            pid,
        )
    lock.sign()
    return lock


def attach(data_dir: Path) -> str | None:
    """The URL of the store that a running relay owns in `data_dir`, or None if none does."""
    home = Home(data_dir)
    socket = home.noted_socket()
    if socket is None or not _is_owned(home):
        return None
    return url_of(socket)


def url_of(socket: Path) -> str:
    """The URL of a server that listens on `socket`."""
    return f"unix://{quote(str(socket))}"


def _is_owned(home: Home) -> bool:
    try:
        fd = os.open(home.lock, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return not _locked(fd, fcntl.LOCK_SH)
    finally:
        os.close(fd)


def _locked(fd: int, kind: int) -> bool:
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _signed(path: Path) -> int:
    with suppress(OSError, ValueError):
        return int(path.read_text(encoding="utf-8"))
    return 0
