"""`ports.Upstream` over SMTP: which host, which connection, and how often to try.

A message is tried again only after Broken, which proves that nothing was handed over.
"""

from __future__ import annotations

import asyncio
import logging
import ssl

from relay.core.config import SmtpHost, SmtpUpstream
from relay.core.mail import Outgoing
from relay.core.reply import Reply
from relay.ports import Outcome, SaidNo, Unreachable
from relay.upstream.connection import Connection
from relay.upstream.handshake import greet
from relay.upstream.hosts import Hosts
from relay.upstream.observer import Observer
from relay.upstream.pool import Pool
from relay.upstream.wire import Broken

log = logging.getLogger(__name__)


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
            async with self._pool.slot():
                return await self._over_some_host(message)
        except Broken as broken:
            if broken.answer:
                return SaidNo(broken.answer)
            return Unreachable(f"{self.name}: {broken}")

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

    async def _over_some_host(self, message: Outgoing) -> Outcome:
        """The hosts in order, until one decides. Raises Broken, with what was wrong with each."""
        troubles: list[Broken] = []
        for host in self._hosts.in_order(_now_s()):
            try:
                outcome = await self._over_host(host, message)
            except Broken as broken:
                self._hosts.failed(host, _now_s())
                troubles.append(_of(host, broken))
                log.warning("upstream %s: %s", self.name, troubles[-1])
            else:
                self._hosts.answered(host)
                return outcome
        answers = [trouble.answer for trouble in troubles if trouble.answer]
        raise Broken("; ".join(map(str, troubles)), answers[-1] if answers else None)

    async def _over_host(self, host: SmtpHost, message: Outgoing) -> Outcome:
        """An idle connection may have died unseen: then, once, over a fresh one."""
        idle = self._pool.take(host)
        if idle:
            try:
                return await self._over(idle, message)
            except Broken as broken:
                log.info("upstream %s: a kept connection was stale: %s", self.name, broken)
        return await self._over(await self._pool.open(host), message)

    async def _over(self, connection: Connection, message: Outgoing) -> Outcome:
        try:
            return await connection.deliver(message)
        finally:  # cancelled in the middle: not reusable, so it is cut
            self._pool.give_back(connection)

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
