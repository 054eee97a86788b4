"""Wrong credentials, counted by client address and by account, over all connections.

Owns how many guesses there may be, and how fast they are forgotten; knows neither tokens nor
sessions. A token is 256 random bits that nobody guesses: this bounds what trying costs, and
gives an operator something to see. Per process, in bounded memory.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from hashlib import blake2b
from ipaddress import IPv6Address, IPv6Network
from typing import Final, Generic, TypeVar

from relay.core.config import Limits
from relay.core.tenants.tenancy import IPAddress

MOST_KEPT: Final = 65_536
"""Addresses, and accounts, that are remembered; the longest untouched is forgotten first."""
_SITE_BITS: Final = 64
"""Whoever has one IPv6 address has all of its /64."""

K = TypeVar("K", bound=Hashable)


@dataclass(slots=True)
class _Level:
    """A bucket that fills by one with each failure and leaks; `at_s` is when it was looked at."""

    failures: float
    at_s: float


class _Buckets(Generic[K]):
    """Leaky buckets by key: `limit` failures leak away in `window_s` seconds."""

    def __init__(self) -> None:
        self._levels: OrderedDict[K, _Level] = OrderedDict()

    def level(self, key: K, limit: int, window_s: float, now_s: float) -> float:
        found = self._levels.get(key)
        if found is None:
            return 0.0
        return max(0.0, found.failures - (now_s - found.at_s) * limit / window_s)

    def add(self, key: K, limit: int, window_s: float, now_s: float) -> float:
        level = self.level(key, limit, window_s, now_s) + 1
        self._levels[key] = _Level(level, now_s)
        self._levels.move_to_end(key)
        while len(self._levels) > MOST_KEPT:
            self._levels.popitem(last=False)
        return level


class Guesses:
    """What every session asks before it looks at a token, and tells afterwards.

    An account stays open to the addresses that have logged in to it before, so that neither
    somebody who guesses at it, nor a program with an old password behind the same address, can
    lock its owner out. `now_s` is monotonic, in seconds.
    """

    def __init__(self) -> None:
        self._addresses: _Buckets[str] = _Buckets()
        self._accounts: _Buckets[bytes] = _Buckets()
        self._known: OrderedDict[tuple[str, bytes], None] = OrderedDict()

    def blocks(self, address: IPAddress, username: str, limits: Limits, now_s: float) -> bool:
        """Whether this try is refused unseen, right or wrong."""
        site, account = _site(address), _account(username)
        if (site, account) in self._known:
            return False
        window_s = limits.auth_window_s
        most = limits.auth_failures_per_address
        if self._addresses.level(site, most, window_s, now_s) > most - 1:
            return True
        most = limits.auth_failures_per_account
        return self._accounts.level(account, most, window_s, now_s) > most - 1

    def failed(self, address: IPAddress, username: str, limits: Limits, now_s: float) -> int:
        """Note a failure; how many the address has by now."""
        site, account = _site(address), _account(username)
        window_s = limits.auth_window_s
        self._accounts.add(account, limits.auth_failures_per_account, window_s, now_s)
        return round(self._addresses.add(site, limits.auth_failures_per_address, window_s, now_s))

    def succeeded(self, address: IPAddress, username: str) -> None:
        """Note a login: the address is one of the account's own."""
        known = (_site(address), _account(username))
        self._known[known] = None
        self._known.move_to_end(known)
        while len(self._known) > MOST_KEPT:
            self._known.popitem(last=False)


def _site(address: IPAddress) -> str:
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, _SITE_BITS), strict=False))
    return str(address)


def _account(username: str) -> bytes:
    """Of a fixed size, however long a name is tried."""
    return blake2b(username.encode("utf-8", "surrogatepass"), digest_size=16).digest()
