"""The routes of a directory in the order in which lists tell them, which is that of their ids.

They are put in order once for each directory, all of them and by tenant, so that one page costs
what it shows and not what there is.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import takewhile

from relay.core.tenancy import Directory, Route


class Ordered:
    """Keeps the order of one directory: the one that it was asked for last."""

    def __init__(self) -> None:
        self._of: Directory | None = None
        self._all: list[Route] = []
        self._by_tenant: dict[str, list[Route]] = {}

    def routes(
        self, directory: Directory, tenant: str | None, prefix: str, after: str | None
    ) -> Iterator[Route]:
        """Those of `tenant` (None: of all) whose domains begin so, behind the id `after`."""
        if directory is not self._of:
            self._put_in_order(directory)
        chosen = self._all if tenant is None else self._by_tenant.get(tenant, [])
        begin = bisect_left(chosen, prefix, key=_name)
        if after is not None:
            begin = max(begin, bisect_right(chosen, after, key=_name))
        return takewhile(lambda r: r.id.domain.startswith(prefix), _from(chosen, begin))

    def _put_in_order(self, directory: Directory) -> None:
        self._all = sorted(directory.routes(), key=_name)
        self._by_tenant = {}
        for route in self._all:
            tenant = directory.domains[route.id.domain].tenant
            self._by_tenant.setdefault(tenant, []).append(route)
        self._of = directory


def _from(routes: Sequence[Route], begin: int) -> Iterator[Route]:
    return (routes[at] for at in range(begin, len(routes)))


def _name(route: Route) -> str:
    return str(route.id)
