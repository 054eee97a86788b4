"""The HTTP server: uvicorn on the relay's own loop, ended by the relay, not by signals."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from relay.core.config import WebConfig
from relay.web.ops import Ops, Vitals


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: SIGTERM belongs to `lifecycle.py`."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class WebServer:
    """Serves `Ops` on the address of the config."""

    def __init__(self, config: WebConfig, vitals: Vitals) -> None:
        self._config = config
        self._server = _Server(
            uvicorn.Config(
                Ops(vitals),
                lifespan="off",
                access_log=False,
                log_config=None,
                server_header=False,
                timeout_keep_alive=5,
                limit_concurrency=200,
            )
        )
        self._socket: socket.socket | None = None

    @property
    def port(self) -> int:
        """The port it listens on (the real one, where the config says 0)."""
        assert self._socket is not None
        port: int = self._socket.getsockname()[1]
        return port

    def bind(self) -> None:
        """Take the address. Raises OSError if that is not possible."""
        family = socket.AF_INET6 if ":" in self._config.host else socket.AF_INET
        bound = socket.socket(family, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((self._config.host, self._config.port))
        except OSError:
            bound.close()
            raise
        self._socket = bound

    async def serve(self) -> None:
        """Answer requests until `stop`."""
        assert self._socket is not None
        await self._server.serve(sockets=[self._socket])

    async def stop(self, deadline_s: float) -> None:
        """Ask `serve` to end; open requests get `deadline_s`."""
        self._server.config.timeout_graceful_shutdown = max(1, int(deadline_s))
        self._server.should_exit = True
        await asyncio.sleep(0)
