"""One server of a store that has several, and what they have in common."""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol, Self, TypeVar

import redis

from tests.harness.ports import free_port
from tests.harness.processes import Child
from tests.harness.store import valkey_binary
from tests.harness.waiting import until

HOST = "127.0.0.1"

DURABLE = ("--appendonly", "yes", "--appendfsync", "always", "--save", "")
QUICK = ("--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1")


USERS = tuple(  # the name of each is its password
    word
    for user in ("relay", "sentinel", "follower")
    for word in ("--user", user, "on", f">{user}", "~*", "&*", "+@all")
)
FOLLOWER = ("--primaryuser", "follower", "--primaryauth", "follower")


class Member:
    """One server process over a directory of its own; killed, frozen and started again."""

    def __init__(
        self, *options: str, user: str = "", password: str = "", binary: str | None = None
    ) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="wr-member-"))
        self.port = free_port()
        self._who = {"username": user or None, "password": user or password or None}
        self._options = options
        self._binary = binary or valkey_binary()
        self._child: Child | None = None

    def add_port(self, option: str) -> int:
        """A free port behind `option`."""
        port = free_port()
        self._options = (*self._options, option, str(port))
        return port

    def start(self, *more: str, wait: bool = True) -> Member:
        command = [self._binary, *self._head(), "--port", str(self.port), "--bind", HOST]
        command += ["--dir", str(self.directory), *self._options, *more]
        self._child = Child(command, self.directory / "log", cwd=self.directory)
        if wait:
            until(self.answers, "the server to answer", every_s=0.01, detail=self._child.tail)
        return self

    def _head(self) -> list[str]:
        return []

    def client(self) -> redis.Redis:
        return redis.Redis(
            HOST, self.port, socket_timeout=2, decode_responses=True, retry=None, **self._who
        )

    def said(self, *words: object):
        with self.client() as client:
            return client.execute_command(*words)

    def answers(self) -> bool:
        with suppress(redis.RedisError):
            return bool(self.said("PING"))
        return False

    def refuse(self, *users: str) -> None:
        """Let go of these users, and let them in no more, until it is started again."""
        with self.client() as client:
            for user in users:
                client.execute_command("ACL", "SETUSER", user, "off")
                client.execute_command("CLIENT", "KILL", "USER", user)

    def info(self) -> dict[str, str]:
        """INFO replication; empty where it does not answer."""
        with suppress(redis.RedisError), self.client() as client:
            return client.info("replication")
        return {}

    def is_master(self) -> bool:
        return self.info().get("role") == "master"

    def follows(self) -> bool:
        """Whether it is a replica that takes in what its master writes, no longer its past."""
        return self.info().get("master_link_status") == "up"

    @property
    def is_running(self) -> bool:
        return self._child is not None and self._child.returncode is None

    def kill(self) -> None:
        self._child.kill()

    def freeze(self) -> None:
        self._child.send(signal.SIGSTOP)

    def thaw(self) -> None:
        self._child.send(signal.SIGCONT)

    def close(self) -> None:
        if self._child:
            self.thaw()
            self._child.kill()
        shutil.rmtree(self.directory, ignore_errors=True)


class Servers(Protocol):
    def start(self) -> Self: ...

    def close(self) -> None: ...


T = TypeVar("T", bound=Servers)


@contextmanager
def running(servers: T) -> Iterator[T]:
    try:
        yield servers.start()
    finally:
        servers.close()
