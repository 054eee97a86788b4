"""In front of a listener with `proxy_from`: reads the PROXY header, then hands over.

Takes from the socket exactly the bytes of the header and none of what follows, so that a TLS
handshake can begin right behind it (RFC 8314 behind a proxy). A header is required from the
listed networks and, elsewhere, nothing but a command that does not exist.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import cast

from relay.core.tenants.tenancy import IPAddress, IPNetwork
from relay.edge.peers import is_within, peer_address, plain
from relay.edge.proxy import BadHeader, Source, Unfinished, read_header

log = logging.getLogger(__name__)

HEADER_TIMEOUT_S = 5.0

Welcome = Callable[[asyncio.Transport, IPAddress], asyncio.Protocol]
"""Makes the session's protocol for a client at that address; the gate connects it."""


class ProxyGate(asyncio.BufferedProtocol):
    """One connection until its header is read. `waiting` is the set of all gates in use."""

    def __init__(
        self, networks: tuple[IPNetwork, ...], welcome: Welcome, waiting: set[ProxyGate]
    ) -> None:
        self._networks = networks
        self._welcome = welcome
        self._waiting = waiting
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._header = b""
        self._room = memoryview(bytearray(1))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A peer connected: a listed proxy has to say for whom, any other is a client."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's: in all but name
        peer = peer_address(transport)
        if not is_within(peer, self._networks):
            self._hand_over(peer)
            return
        self._waiting.add(self)
        self._timer = asyncio.get_running_loop().call_later(HEADER_TIMEOUT_S, self._refuse, "late")
        found = read_header(b"")
        assert isinstance(found, Unfinished)
        self._want(found.wanted_bytes)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - never more than the header
        """Room for what certainly belongs to the header."""
        return self._room

    def buffer_updated(self, nbytes: int) -> None:
        """`nbytes` of the header have come in."""
        self._header += self._room[:nbytes]
        try:
            found = read_header(self._header)
        except BadHeader as error:
            self._refuse(str(error))
            return
        if isinstance(found, Source):
            assert self._transport is not None
            self._hand_over(plain(found.address or peer_address(self._transport)))
        else:
            self._want(found.wanted_bytes)

    def eof_received(self) -> bool:
        """The peer has left before its header was whole."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - nothing to tell
        """Whatever the reason, there is nobody to wait for."""
        self._stop_waiting()

    def close(self) -> None:
        """Drop the connection."""
        self._stop_waiting()
        if self._transport:
            self._transport.abort()

    def _want(self, count: int) -> None:
        self._room = memoryview(bytearray(count))

    def _refuse(self, why: str) -> None:
        assert self._transport is not None
        log.warning("PROXY header from %s refused: %s", peer_address(self._transport), why)
        self.close()

    def _hand_over(self, address: IPAddress) -> None:
        self._stop_waiting()
        transport = self._transport
        assert transport is not None
        # Reading stops while the protocol is exchanged: event loops choose how to read by it.
        transport.pause_reading()
        protocol = self._welcome(transport, address)
        transport.set_protocol(protocol)
        protocol.connection_made(transport)

    def _stop_waiting(self) -> None:
        self._waiting.discard(self)
        if self._timer:
            self._timer.cancel()
