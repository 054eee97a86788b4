"""`ports.upstream.Upstream` over SMTP: which host, which connection, and how often to try.

A message is tried again only after Broken, which proves that nothing was handed over.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from operator import methodcaller
from typing import Any, TypeVar

from relay.core.config import SmtpHost, SmtpUpstream
from relay.core.mail.message import Envelope, Outgoing
from relay.ports.upstream import (
    Clearance,
    Handover,
    Lacks,
    Outcome,
    Refusal,
    SaidNo,
    Unreachable,
)
from relay.upstream.connection import Connection
from relay.upstream.dialling import Dialler
from relay.upstream.handover import SmtpHandover
from relay.upstream.handshake import greet
from relay.upstream.hosts import Hosts
from relay.upstream.observer import Observer
from relay.upstream.pool import Pool
from relay.upstream.wire import Broken

log = logging.getLogger(__name__)

T = TypeVar("T")
Use = Callable[[Connection], Awaitable[T]]
"""What is done over a connection. Raises Broken: nothing was handed over."""


class Smtp:
    """See `ports.upstream.Upstream`."""

    def __init__(
        self, config: SmtpUpstream, hostname: str, tls: ssl.SSLContext, observer: Observer
    ) -> None:
        self._config = config
        self._hostname = hostname
        self._tls = tls
        self._answered = partial(observer.reply, config.name)
        self._offers: frozenset[str] | None = None
        self._hosts = Hosts(config.hosts)
        self._dialler = Dialler()
        self._pool = Pool(config, self._open)

    @property
    def name(self) -> str:
        """See `ports.upstream.Upstream`."""
        return self._config.name

    @property
    def offers(self) -> frozenset[str] | None:
        """See `ports.upstream.Upstream`."""
        return self._offers

    def deliver(
        self, message: Outgoing, cleared: Clearance | None = None
    ) -> Coroutine[Any, Any, Outcome]:
        """See `ports.upstream.Upstream`."""
        return self._used(methodcaller("deliver", message, cleared))

    def begin(self, envelope: Envelope) -> Coroutine[Any, Any, Handover | Refusal]:
        """See `ports.upstream.Upstream`."""
        return self._used(lambda connection: self._begin(connection, envelope))

    async def probe(self) -> str | None:
        """See `ports.upstream.Upstream`. Uses a connection of its own, outside the pool's limit."""
        troubles = []
        for host in self._config.hosts:
            try:
                connection = await self._open(host)
            except Broken as broken:
                troubles.append(str(_of(host, broken)))
            else:
                connection.quit()
                return None
        return "; ".join(troubles)

    async def close(self) -> None:
        """See `ports.upstream.Upstream`."""
        await self._pool.close()

    async def _used(self, use: Use[T]) -> T | SaidNo | Unreachable:
        """What came of `use`, over the first connection that is not Broken."""
        found: T | None = None
        try:
            await self._pool.enter()
            try:
                found = await self._over_some_host(use)
            finally:
                if not isinstance(found, SmtpHandover):  # else it leaves when it ends
                    self._pool.leave()
        except Broken as broken:
            if broken.answer:
                return SaidNo(broken.answer)
            return Unreachable(f"{self.name}: {broken}")
        return found

    async def _over_some_host(self, use: Use[T]) -> T:
        """The hosts in order, until one decides. Raises Broken, with what was wrong with each.

        One that lacks what the message needs decides nothing while another one may have it.
        """
        troubles: list[Broken] = []
        lacking: T | None = None
        for host in self._hosts.in_order(asyncio.get_running_loop().time()):
            try:
                outcome = await self._over_host(host, use)
            except Broken as broken:
                self._hosts.failed(host, _now_s())
                troubles.append(_of(host, broken))
                log.warning("upstream %s: %s", self.name, troubles[-1])
            else:
                self._hosts.answered(host)
                if not isinstance(outcome, Lacks):
                    return outcome
                lacking = outcome
        if lacking is not None and not troubles:
            return lacking
        answers = [trouble.answer for trouble in troubles if trouble.answer]
        raise Broken("; ".join(map(str, troubles)), answers[-1] if answers else None)

    async def _over_host(self, host: SmtpHost, use: Use[T]) -> T:
        """An idle connection may have died unseen: then, once, over a fresh one."""
        idle = self._pool.take(host)
        connection = idle or await self._pool.open(host)
        while True:
            found: T | None = None
            try:
                found = await use(connection)
            except Broken as broken:
                if connection is not idle:
                    raise
                log.info("upstream %s: a kept connection was stale: %s", self.name, broken)
            else:
                return found
            finally:  # cancelled in the middle: not reusable, so it is cut
                if not isinstance(found, SmtpHandover):
                    self._pool.give_back(connection)
            connection = await self._pool.open(host)

    async def _begin(self, connection: Connection, envelope: Envelope) -> Handover | Refusal:
        refusal = await connection.begin(envelope)
        return refusal or SmtpHandover(self.name, connection, self._config, self._end)

    def _end(self, connection: Connection) -> None:
        self._pool.give_back(connection)
        self._pool.leave()

    async def _open(self, host: SmtpHost) -> Connection:
        wire, offered = await greet(host, self._dialler, self._hostname, self._tls, self._config)
        self._offers = offered.keywords
        return Connection(host, wire, offered, self._config, self._answered)


def _of(host: SmtpHost, broken: Broken) -> Broken:
    return Broken(f"{host.host}:{host.port}: {broken}", broken.answer)


def _now_s() -> float:
    return asyncio.get_running_loop().time()
