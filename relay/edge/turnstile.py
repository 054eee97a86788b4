"""How many connections there may be: in all, and from one client address."""

from __future__ import annotations

from collections import Counter

from relay.core.config import Limits
from relay.core.reply import Reply
from relay.core.tenants.tenancy import IPAddress
from relay.edge.replies import OVERLOADED, TOO_MANY_CONNECTIONS


class Turnstile:
    """Counts connections by client address (the one behind the proxy, if there is one)."""

    def __init__(self) -> None:
        self._inside: Counter[bytes] = Counter()  # an address takes long to hash
        self._count = 0

    def enter(self, address: IPAddress, limits: Limits) -> Reply | None:
        """Let one more in, who must `leave` in the end; or the reply that refuses it."""
        if self._count >= limits.connections:
            return OVERLOADED
        packed = address.packed
        if self._inside[packed] >= limits.connections_per_address:
            return TOO_MANY_CONNECTIONS
        self._inside[packed] += 1
        self._count += 1
        return None

    def leave(self, address: IPAddress) -> None:
        """One that had entered is gone."""
        self._count -= 1
        packed = address.packed
        self._inside[packed] -= 1
        if not self._inside[packed]:
            del self._inside[packed]
