"""Routes as they are shown: which one is meant, whose it is, and where it stands now.

For everybody who shows routes: the command line, the API, the pages. Reads the store, in one
go for as many routes as are wanted, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from relay.core.status.report import Status
from relay.core.tenants.tenancy import Directory, Route
from relay.ports import Clock, QuotaStore


class Sees(Protocol):
    """Whoever asks: a token, or somebody who looks at a page."""

    def sees(self, tenant: str) -> bool:
        """Whether what belongs to `tenant` exists for them."""


def route_for(directory: Directory, who: Sees, name: str) -> Route | None:
    """The route called `name`, if there is one that exists for `who`."""
    try:
        found = directory.route_named(name)
    except ValueError:
        return None
    return found if found and who.sees(tenant_of(directory, found)) else None


def tenant_of(directory: Directory, route: Route) -> str:
    """Whose `route` is; empty where its domain has been removed since."""
    found = directory.domains.get(route.id.domain)
    return found.tenant if found else ""


async def statuses_of(
    store: QuotaStore, clock: Clock, wanted: Sequence[tuple[Route, str]]
) -> list[Status]:
    """The status of each route, given with its tenant; in order. Raises StoreTrouble."""
    now = clock.now()
    placed = [(route, route.policy.window.at(now)) for route, _ in wanted]
    standings = await store.standings(placed)
    return [
        Status(route, tenant, window, standing)
        for (route, tenant), (_, window), standing in zip(wanted, placed, standings, strict=True)
    ]
