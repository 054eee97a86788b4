"""The HTTP server: uvicorn on the relay's own loop, ended by the relay, not by signals."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import uvicorn

from relay.core.config import WebConfig
from relay.web.asgi import App, Message, Receive, Scope, Send
from relay.web.ops import PATHS, Ops, Vitals
from relay.web.protocol import AMBIGUOUS, BUSY, CUT_OFF, Protocol
from relay.web.target import in_origin_form

MOST_AT_ONCE: Final = 200
"""Connections, and requests: what is more is told to come again."""

MOST_OF_OPS: Final = 50
"""Requests for /healthz, and for each of its like, which are answered whoever holds connections.

A supervisor or a balancer that hears nothing of them would take the mail away.
"""

_LENGTHS: Final = frozenset({b"content-length", b"transfer-encoding"})
"""Both together end the connection (RFC 9112 §6.1)."""

UNREAD_MS: Final = 60_000
"""How long a client may leave an answer unread before its connection is dropped (tcp(7))."""


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: SIGTERM belongs to `lifecycle.py`."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class HttpServer:
    """Serves `app` on an address, on a unix socket of one's own, or on a socket that is bound."""

    def __init__(self, at: WebConfig | Path | socket.socket, app: App) -> None:
        self._at = at
        self.ended = asyncio.Event()
        self._asked = Counter[str]()
        self._server = _Server(
            uvicorn.Config(
                self._bounded(app),
                lifespan="off",
                access_log=False,
                log_config=None,
                server_header=False,
                timeout_keep_alive=5,
                http=Protocol,
            )
        )
        self._socket: socket.socket | None = None

    def _bounded(self, app: App) -> App:
        """`app`, as long as there is not too much to do; uvicorn's own bound says so in no JSON."""

        async def bounded(scope: Scope, receive: Receive, send: Send) -> None:
            kind = scope["path"] if scope["path"] in PATHS else ""
            if self._is_busy_with(kind):
                await BUSY.send(send)
            elif {name for name, _ in scope["headers"]} >= _LENGTHS:
                await AMBIGUOUS.send(send)
            else:
                self._asked[kind] += 1
                try:
                    await _to_its_end(app, in_origin_form(scope), receive, send)
                finally:
                    self._asked[kind] -= 1

        return bounded

    def _is_busy_with(self, kind: str) -> bool:
        """`kind`: one of PATHS, or nothing for all else."""
        if kind:
            return self._asked[kind] >= MOST_OF_OPS
        now = self._server.server_state
        return len(now.connections) > MOST_AT_ONCE or len(now.tasks) > MOST_AT_ONCE

    @property
    def port(self) -> int:
        """The port it listens on (the real one, where the config says 0)."""
        assert self._socket is not None
        port: int = self._socket.getsockname()[1]
        return port

    @property
    def address(self) -> str:
        """Host and port (or the path of the socket), for people."""
        if isinstance(self._at, Path):
            return str(self._at)
        assert self._socket is not None
        host = self._at.host if isinstance(self._at, WebConfig) else self._socket.getsockname()[0]
        return _named(host, self.port)

    def bind(self) -> None:
        """Take the address. Raises OSError if that is not possible."""
        self._socket = self._at if isinstance(self._at, socket.socket) else bound_to(self._at)

    async def serve(self) -> None:
        """Answer requests until `stop`."""
        assert self._socket is not None
        try:
            await self._server.serve(sockets=[self._socket])
        finally:
            self.ended.set()

    async def stop(self, deadline_s: float) -> None:
        """Ask `serve` to end; open requests get `deadline_s`."""
        self._server.config.timeout_graceful_shutdown = max(1, int(deadline_s))
        self._server.should_exit = True
        await asyncio.sleep(0)


async def _to_its_end(app: App, scope: Scope, receive: Receive, send: Send) -> None:
    """Have `app` answer. Cancelled, as uvicorn does with what outlasts the end, it says so."""
    has_begun = False

    async def noted(message: Message) -> None:
        nonlocal has_begun
        has_begun = True
        await send(message)

    try:
        await app(scope, receive, noted)
    except asyncio.CancelledError:
        if has_begun:
            raise
        await CUT_OFF.send(send)


class WebServer(HttpServer):
    """Serves `Ops`: what the relay tells of itself."""

    def __init__(self, at: WebConfig | Path, vitals: Vitals) -> None:
        super().__init__(at, Ops(vitals))


def bound_to(at: WebConfig | Path) -> socket.socket:
    """A socket on `at`. Raises OSError if that is not possible."""
    if isinstance(at, Path):
        return _bound_to_path(at)
    bound = socket.socket(socket.AF_INET6 if ":" in at.host else socket.AF_INET)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; what is accepted here inherits it
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_MS)
    try:
        bound.bind((at.host, at.port))
    except OSError as error:
        bound.close()
        told = f"cannot listen on {_named(at.host, at.port)}: {error.strerror}"
        raise OSError(error.errno, told) from error
    return bound


def _named(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _bound_to_path(at: Path) -> socket.socket:
    """Whoever may enter its directory may ask; what an earlier process left there goes.

    It listens at once: who asks before `serve` has begun waits instead of being refused.
    """
    at.unlink(missing_ok=True)
    bound = socket.socket(socket.AF_UNIX)
    bound.bind(str(at))
    bound.listen()
    return bound
