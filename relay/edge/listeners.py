"""All listeners: opened together, closed in phases (stop listening, drain, cut off).

Sessions are told to end between transactions; what a session has begun is let run to its end
while the deadline lasts, and the bookkeeping of rule 3 is waited for after that too.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from relay.concurrency.waiting import set_within
from relay.core.config import Listener, ListenerTls
from relay.core.tenants.tenancy import IPAddress
from relay.edge.gate import ProxyGate
from relay.edge.session import Session
from relay.edge.surroundings import Door, Surroundings
from relay.edge.tls import Certificate

log = logging.getLogger(__name__)

BACKLOG = 1024
RENEW_EVERY_S = 5.0
SETTLE_S = 0.5
LAST_WORDS_S = 2.0
"""After the deadline of `drain`: for telling the store which clients did not hear."""


class Listeners:
    """The edge as a whole. `addresses` are host and port as bound, in the order of the config.

    `shares_ports`: other workers listen on the same ports, and the kernel spreads the
    connections over them (SO_REUSEPORT, socket(7)).
    """

    def __init__(
        self, listeners: Sequence[Listener], around: Surroundings, *, shares_ports: bool = False
    ) -> None:
        self._listeners = listeners
        self._shares_ports = shares_ports
        self._around = around
        self._servers: list[asyncio.Server] = []
        self._gates: set[ProxyGate] = set()
        self._certificates: list[Certificate] = []
        self.addresses: list[tuple[str, int]] = []

    async def start(self) -> None:
        """Open every listener, or none: raises OSError (an address in use, a bad certificate)."""
        try:
            for listener in self._listeners:
                await self._open(listener)
        except BaseException:
            self.stop_listening()
            raise

    async def _open(self, listener: Listener) -> None:
        certificate = _certificate(listener)
        if certificate:
            self._certificates.append(certificate)
        loop = asyncio.get_running_loop()
        doors: list[Door] = []  # the name needs the port, which is known once it is bound
        server = await loop.create_server(
            lambda: self._welcome(doors[0]),
            listener.host,
            listener.port,
            backlog=BACKLOG,
            start_serving=False,
            reuse_port=self._shares_ports,
        )
        self._servers.append(server)
        port = int(server.sockets[0].getsockname()[1])
        self.addresses.append((listener.host, port))
        doors.append(Door(listener, replace(listener, port=port).name, certificate))
        await server.start_serving()
        log.info("listening on %s", doors[0].name)

    def _welcome(self, door: Door) -> asyncio.BaseProtocol:
        def session(_transport: asyncio.Transport, address: IPAddress) -> Session:
            return Session(door, self._around, address)

        if door.listener.proxy_from:
            return ProxyGate(door.listener.proxy_from, session, self._gates)
        return Session(door, self._around)

    def reload_certificates(self) -> bool:
        """Read every certificate again, for new connections. False if one was kept as it was."""
        kept = [certificate for certificate in self._certificates if not certificate.reload()]
        return not kept

    async def renew_certificates(self, stop: asyncio.Event) -> None:
        """Read every certificate whose files have changed, until `stop` is set."""
        while not stop.is_set():
            await set_within(stop, RENEW_EVERY_S)
            changed = [one for one in self._certificates if one.has_changed()]
            if changed and not stop.is_set():
                await asyncio.sleep(SETTLE_S)  # certificate and key are two files
                for certificate in changed:
                    certificate.reload()

    @property
    def has_stale_certificate(self) -> bool:
        """Whether a renewed certificate could not be used, and the old one is served."""
        return any(certificate.is_stale for certificate in self._certificates)

    def stop_listening(self) -> None:
        """Take no more connections, and no more transactions on those that stand."""
        for server in self._servers:
            server.close()
        for gate in list(self._gates):
            gate.close()
        for guest in self._around.roster:
            guest.dismiss()

    async def drain(self, deadline_s: float) -> None:
        """Wait for the transactions under way, at most `deadline_s`; then cut off what is left."""
        with suppress(TimeoutError):
            async with asyncio.timeout(deadline_s):
                await self._around.roster.emptied()
        for guest in self._around.roster:
            guest.cut_off()
        await self._around.background.drain(LAST_WORDS_S)


def _certificate(listener: Listener) -> Certificate | None:
    if listener.tls is ListenerTls.NONE:
        return None
    if listener.certificate is None or listener.key is None:
        raise OSError(f"{listener.name}: TLS needs a certificate and a key")
    try:
        return Certificate(listener.certificate, listener.key)
    except OSError as error:  # ssl.SSLError is one; neither names the file
        files = f"certificate {listener.certificate}, key {listener.key}"
        raise OSError(f"{listener.name}: {files}: {error}") from error
