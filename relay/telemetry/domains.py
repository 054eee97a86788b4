"""Which domains the metrics name: the first thousand that had mail; the others are one.

A series costs memory here and in Prometheus, and time at each scrape, and a config may have
100,000 domains. First come, first named: what has a series keeps it as long as the relay runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from relay.core.tenants.tenancy import Directory, Route

MOST_NAMED: Final = 1000
OTHERS: Final = "others"
"""The label of all domains, and of their tenants, that are not named. No domain is called so."""


class NamedDomains:
    """Those of one process."""

    def __init__(self) -> None:
        self._named: set[str] = set()

    def labels(self, tenant: str, domain: str) -> tuple[str, str]:
        """The labels `tenant` and `domain` of a series."""
        if domain not in self._named:
            if len(self._named) >= MOST_NAMED:
                return OTHERS, OTHERS
            self._named.add(domain)
        return tenant, domain

    def names(self) -> tuple[str, ...]:
        """Those that are named so far."""
        return tuple(self._named)


def routes_told(directory: Directory, names: Callable[[], Iterable[str]]) -> list[Route]:
    """The routes that have gauges: all, or in a large config those of the domains `names`."""
    if len(directory.domains) <= MOST_NAMED:
        return directory.routes()
    found = (directory.domains.get(name) for name in sorted(names())[:MOST_NAMED])
    return [route for domain in found if domain for route in domain.routes]
