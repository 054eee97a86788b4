"""Answers on the address of the web process while that does not: it died again and again, or hangs.

The relay listens on that address and leaves the accepting to its child; without one, scrapes
and probes would wait for ever. The child shows that its loop turns by touching a file
(`processes/inside.py`). Once it has not for AWAY_S, /metrics, /healthz and /readyz are answered
here and all else is 503, until it touches it again; or for good, when it is told to end.
"""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import structlog

from relay.concurrency.waiting import set_within
from relay.web.asgi import Receive, Scope, Send, problem
from relay.web.ops import PATHS, Ops, Readiness, Vitals
from relay.web.server import HttpServer

log = structlog.get_logger("relay")

AWAY_S: Final = 8.0
"""Longer than a start on a busy machine, shorter than a scraper waits (Prometheus: 10 s)."""

POLL_S: Final = 0.25
STOP_S: Final = 1.0

NO_ANSWER: Final = "the web process does not answer; mail by SMTP goes on"
STOPPING: Final = "the relay is stopping"


class Understudy:
    """Stands by on `bound`, which stays open, for the process that touches `file`."""

    def __init__(self, bound: socket.socket, file: Path, vitals: Vitals) -> None:
        self._bound = bound
        self._file = file
        self._ops = Ops(_WithoutWeb(vitals))
        self._is_heir = False
        self._touched = -1
        self._seen_at = time.monotonic()

    async def keep(self, stop: asyncio.Event) -> None:
        """Answer whenever nobody does, until `stop` is set."""
        self._seen_at = time.monotonic()
        while not stop.is_set():
            if self._is_alone():
                await self._answer(stop)
            await set_within(stop, POLL_S)

    def take_over(self) -> None:
        """The process is told to end: answer from now on, beside it while it finishes."""
        self._is_heir = True

    def _is_alone(self) -> bool:
        """By when the file was seen to change: nobody's clock is asked for the time."""
        if self._is_heir:
            return True
        now, touched = time.monotonic(), -1
        with suppress(OSError):
            touched = self._file.stat().st_mtime_ns
        if touched != self._touched:
            self._touched, self._seen_at = touched, now
        return now - self._seen_at > AWAY_S

    async def _answer(self, stop: asyncio.Event) -> None:
        if not self._is_heir:
            log.error("the web process does not answer; the relay tells of itself without it")
        server = HttpServer(self._bound.dup(), self._stand_in)
        server.bind()
        async with asyncio.TaskGroup() as group:
            group.create_task(server.serve())
            while self._is_alone() and not stop.is_set():
                await set_within(stop, POLL_S)
            await server.stop(STOP_S)
        if not self._is_heir:
            log.info("the web process answers again, or all ends")

    async def _stand_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in PATHS:
            told = STOPPING if self._is_heir else NO_ANSWER
            await problem(503, "Service Unavailable", told, {"retry-after": "10"}).send(send)
        else:
            await self._ops(scope, receive, send)


@dataclass(frozen=True, slots=True)
class _WithoutWeb:
    """`vitals` of a relay that is ready for mail, whatever its web process does."""

    vitals: Vitals

    async def metrics(self) -> bytes:
        return await self.vitals.metrics()

    async def readiness(self) -> Readiness:
        found = await self.vitals.readiness()
        return replace(found, checks={**found.checks, "web": "no answer"})
