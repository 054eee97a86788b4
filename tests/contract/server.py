"""A bare server with the embedded store's options, for tests that need no owner around it."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from relay.store.embedded.server_process import ServerProcess, find_binary, options
from relay.store.ownership import url_of
from tests.harness.waiting import until


class BareServer:
    """A server that can be frozen, killed and started again over the same file."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="wr-bare-"))
        self.socket = self.directory / "s"
        self.url = url_of(self.socket)
        self._process: ServerProcess | None = None

    def start(self, *more: str, wait: bool = True) -> BareServer:
        command = [str(find_binary())]
        command += options(self.directory, self.socket, self.directory / "log")
        held = os.open(self.directory / "lock", os.O_RDWR | os.O_CREAT)
        self._process = ServerProcess([*command, *more], self.directory, held)
        os.close(held)
        if wait:
            until(self.answers, "the server to answer", every_s=0.01)
        return self

    @property
    def pid(self) -> int:
        return self._process.pid

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url, socket_timeout=5, decode_responses=True)

    def answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def freeze(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        self._process.kill()

    def close(self) -> None:
        if self._process:
            self._process.kill()
        shutil.rmtree(self.directory, ignore_errors=True)


@contextmanager
def bare_server() -> Iterator[BareServer]:
    server = BareServer()
    try:
        yield server.start()
    finally:
        server.close()
