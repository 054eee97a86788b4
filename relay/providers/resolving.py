"""Whom the DNS is asked through: the nameservers of the config, or those of the system.

Every answer is small (`nameserver.py`) and every question bounded. Keeps no answers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from dns.asyncresolver import Resolver

from relay.providers.nameserver import SmallAnswers

TRY_S: Final = 2.0
"""For one nameserver, before the next one (or the same again) is tried."""

REREAD_S: Final = 60.0
"""How old the system's own list of nameservers may be."""

DNS_PORT: Final = 53


class Resolvers:
    """Gives a resolver for `nameservers` (address and port), or those of the system if none."""

    def __init__(
        self,
        nameservers: Sequence[tuple[str, int]],
        deadline_s: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._nameservers = tuple(nameservers)
        self._deadline_s = deadline_s
        self._monotonic = monotonic
        self._resolver: Resolver | None = None
        self._read_at = float("-inf")

    def current(self) -> Resolver:
        """The resolver. Raises NoResolverConfiguration where the system has none."""
        now = self._monotonic()
        stale = not self._nameservers and now - self._read_at > REREAD_S
        if self._resolver is None or stale:
            self._resolver, self._read_at = self._opened(), now
        return self._resolver

    def _opened(self) -> Resolver:
        resolver = Resolver(configure=not self._nameservers)
        own = [(str(server), DNS_PORT) for server in resolver.nameservers]
        servers = self._nameservers or own
        resolver.nameservers = [SmallAnswers(address, port) for address, port in servers]
        resolver.lifetime = self._deadline_s
        resolver.timeout = min(TRY_S, self._deadline_s / 2)
        resolver.use_edns(0, 0, 1232)
        return resolver
