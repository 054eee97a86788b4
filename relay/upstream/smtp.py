"""`ports.Upstream` over SMTP: which host, which connection, and how often to try.

A message is tried again only after Broken, which proves that nothing was handed over.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from typing import TypeVar

from relay.core.config import SmtpHost, SmtpUpstream
from relay.core.mail import Envelope, Outgoing
from relay.core.reply import Reply
from relay.ports import Handover, Outcome, Refusal, SaidNo, Unreachable
from relay.upstream.connection import Connection
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
    """See `ports.Upstream`."""

    def __init__(
        self, config: SmtpUpstream, hostname: str, tls: ssl.SSLContext, observer: Observer
    ) -> None:
        self._config = config
        self._hostname = hostname
        self._tls = tls
        self._observer = observer
        self._offers: frozenset[str] | None = None
        self._hosts = Hosts(config.hosts)
        self._pool = Pool(config, self._open)

    @property
    def name(self) -> str:
        """See `ports.Upstream`."""
        return self._config.name

    @property
    def offers(self) -> frozenset[str] | None:
        """See `ports.Upstream`."""
        return self._offers

    async def deliver(self, message: Outgoing) -> Outcome:
        """See `ports.Upstream`."""
        try:
            await self._pool.enter()
            try:
                return await self._over_some_host(lambda found: self._deliver(found, message))
            finally:
                self._pool.leave()
        except Broken as broken:
            return self._refusal(broken)

    async def begin(self, envelope: Envelope) -> Handover | Refusal:
        """See `ports.Upstream`."""
        handover: Handover | Refusal | None = None
        try:
            await self._pool.enter()
            try:
                handover = await self._over_some_host(lambda found: self._begin(found, envelope))
                return handover
            finally:
                if not isinstance(handover, SmtpHandover):  # else it leaves when it ends
                    self._pool.leave()
        except Broken as broken:
            return self._refusal(broken)

    async def probe(self) -> str | None:
        """See `ports.Upstream`. Uses a connection of its own, outside the pool's limit."""
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
        """See `ports.Upstream`."""
        await self._pool.close()

    def _refusal(self, broken: Broken) -> SaidNo | Unreachable:
        return SaidNo(broken.answer) if broken.answer else Unreachable(f"{self.name}: {broken}")

    async def _over_some_host(self, use: Use[T]) -> T:
        """The hosts in order, until one decides. Raises Broken, with what was wrong with each."""
        troubles: list[Broken] = []
        for host in self._hosts.in_order(_now_s()):
            try:
                outcome = await self._over_host(host, use)
            except Broken as broken:
                self._hosts.failed(host, _now_s())
                troubles.append(_of(host, broken))
                log.warning("upstream %s: %s", self.name, troubles[-1])
            else:
                self._hosts.answered(host)
                return outcome
        answers = [trouble.answer for trouble in troubles if trouble.answer]
        raise Broken("; ".join(map(str, troubles)), answers[-1] if answers else None)

    async def _over_host(self, host: SmtpHost, use: Use[T]) -> T:
        """An idle connection may have died unseen: then, once, over a fresh one."""
        idle = self._pool.take(host)
        if idle:
            try:
                return await use(idle)
            except Broken as broken:
                log.info("upstream %s: a kept connection was stale: %s", self.name, broken)
        return await use(await self._pool.open(host))

    async def _deliver(self, connection: Connection, message: Outgoing) -> Outcome:
        try:
            return await connection.deliver(message)
        finally:  # cancelled in the middle: not reusable, so it is cut
            self._pool.give_back(connection)

    async def _begin(self, connection: Connection, envelope: Envelope) -> Handover | Refusal:
        is_open = False
        try:
            refusal = await connection.begin(envelope)
            is_open = refusal is None
            return refusal or SmtpHandover(self.name, connection, self._config, self._end)
        finally:
            if not is_open:
                self._pool.give_back(connection)

    def _end(self, connection: Connection) -> None:
        self._pool.give_back(connection)
        self._pool.leave()

    async def _open(self, host: SmtpHost) -> Connection:
        wire, offered = await greet(host, self._hostname, self._tls, self._config)
        self._offers = offered.keywords
        return Connection(host, wire, offered, self._config, self._answered)

    def _answered(self, answer: Reply) -> None:
        self._observer.reply(self.name, answer)


def _of(host: SmtpHost, broken: Broken) -> Broken:
    return Broken(f"{host.host}:{host.port}: {broken}", broken.answer)


def _now_s() -> float:
    return asyncio.get_running_loop().time()
