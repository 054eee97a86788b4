"""The routes of a directory in the order in which lists tell them, which is that of their ids.

They are put in order once for each directory, all of them and by tenant, so that one page costs
what it shows and not what there is.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

from relay.core.tenants.tenancy import Directory, Route


@dataclass(frozen=True, slots=True)
class Shown:
    """Routes by id, and the names of their tenants and policies, in order."""

    routes: Sequence[Route]
    tenants: Sequence[str]
    policies: Sequence[str]


_NONE = Shown((), (), ())


class Ordered:
    """Keeps the order of one directory: the one that it was asked for last."""

    def __init__(self) -> None:
        self._of: Directory | None = None
        self._shown: dict[str | None, Shown] = {}

    def shown(self, directory: Directory, tenant: str | None) -> Shown:
        """What is of `tenant` (None: of all)."""
        if directory is not self._of:
            self._shown = _in_order(directory)
            self._of = directory
        return self._shown.get(tenant, _NONE)

    def routes(
        self, directory: Directory, tenant: str | None, prefix: str, after: str | None
    ) -> Iterator[Route]:
        """Those of `tenant` (None: of all) whose domains begin so, behind the id `after`."""
        chosen = self.shown(directory, tenant).routes
        begin = bisect_left(chosen, prefix, key=_name)
        if after is not None:
            begin = max(begin, bisect_right(chosen, after, key=_name))
        behind = (chosen[at] for at in range(begin, len(chosen)))
        return takewhile(lambda route: route.id.domain.startswith(prefix), behind)


def _in_order(directory: Directory) -> dict[str | None, Shown]:
    found: dict[str | None, list[Route]] = {None: sorted(directory.routes(), key=_name)}
    for route in found[None]:
        found.setdefault(directory.domains[route.id.domain].tenant, []).append(route)
    tenants = sorted(tenant for tenant in found if tenant is not None)
    return {
        tenant: Shown(
            routes,
            tenants if tenant is None else [tenant],
            sorted({route.policy.name for route in routes}),
        )
        for tenant, routes in found.items()
    }


def _name(route: Route) -> str:
    return str(route.id)
