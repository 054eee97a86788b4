"""In which order the hosts of an upstream are tried, and a short memory of dead ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from relay.core.config import SmtpHost

MEMORY_S: Final = 30.0


class Hosts:
    """Times are those of any one monotonic clock, in seconds."""

    def __init__(self, hosts: Sequence[SmtpHost]) -> None:
        self._hosts = tuple(hosts)
        self._dead_until_s: dict[SmtpHost, float] = {}

    def in_order(self, now_s: float) -> list[SmtpHost]:
        """All of them: the configured order, those that failed lately last.

        A host whose time is over is put back in front for one caller, the one that asks now:
        a host that is still dead must not hold everybody up at once.
        """
        if not self._dead_until_s:
            return [*self._hosts]
        dead = {host for host, until_s in self._dead_until_s.items() if until_s > now_s}
        for host in self._dead_until_s.keys() - dead:
            self._dead_until_s[host] = now_s + MEMORY_S
        return sorted(self._hosts, key=lambda host: host in dead)

    def failed(self, host: SmtpHost, now_s: float) -> None:
        """It could not be reached, or was lost."""
        self._dead_until_s[host] = now_s + MEMORY_S

    def answered(self, host: SmtpHost) -> None:
        """It lives."""
        self._dead_until_s.pop(host, None)
