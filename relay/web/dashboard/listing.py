"""Which routes a list shows: filtered, sorted and paged on the server.

What the config knows (domain, tenant, policy) chooses and sorts without a read, so that a
page costs one read of its own routes; where nothing is asked for, nothing is chosen or sorted.
What only the store knows (state, cap, sends) needs all routes: they are read in batches and kept
for everybody who looks. Once some seconds old, they are read anew behind the back of whoever
looks; the numbers on a page are always of now.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from relay.concurrency.background import Background
from relay.core.domain import is_part
from relay.core.errors import StoreTrouble
from relay.core.quota.reservation import State, remaining, warmup_day
from relay.core.status.report import Status
from relay.core.tenants.tenancy import Route, RouteId
from relay.core.tenants.users import Viewer
from relay.web.dashboard.desk import PagesDesk
from relay.web.dashboard.paging import Part, page_number, part_of
from relay.web.ordered import Ordered, Shown

READ_AT_ONCE: Final = 500
FRESH_S: Final = 10.0
STALE_S: Final = 120.0
"""What is older is not used any more: nobody has looked for so long."""
_UNLIMITED: Final = float("inf")

CONFIGURED: Final[dict[str, Callable[[PagesDesk, Route], Any]]] = {
    "route": lambda _desk, route: str(route.id),
    "tenant": lambda desk, route: desk.tenant_of(route),
    "policy": lambda _desk, route: route.policy.name,
}


def _or_infinite(cap: int | None) -> float:
    return _UNLIMITED if cap is None else cap


COUNTED: Final[dict[str, Callable[[Status], Any]]] = {
    "state": lambda one: one.state.value,
    "day": lambda one: warmup_day(one.window, one.standing),
    "cap": lambda one: _or_infinite(one.cap),
    "sent": lambda one: one.sent,
    "remaining": lambda one: _or_infinite(remaining(one.cap, one.standing)),
    "resets": lambda one: one.resets_at,
    "lifetime": lambda one: one.standing.lifetime,
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for. `page` counts from 1."""

    search: str = ""
    state: State | None = None
    tenant: str = ""
    policy: str = ""
    sort: str = "route"
    descending: bool = False
    page: int = 1

    @classmethod
    def of(cls, query: dict[str, str]) -> Wanted:
        """What a query string asks for; what makes no sense in it is left out."""
        sort = query.get("sort", "")
        state = query.get("state", "")
        return cls(
            search=query.get("q", "").strip().lower()[:255],
            state=State(state) if state in set(State) else None,
            tenant=query.get("tenant", "")[:64],
            policy=query.get("policy", "")[:64],
            sort=sort if sort in CONFIGURED | COUNTED else "route",
            descending=query.get("order") == "desc",
            page=page_number(query.get("page", "1")),
        )

    def query(self, **changes: Any) -> dict[str, str]:
        """As the fields of a query string, with `changes`; defaults are left out."""
        told = {
            "q": self.search,
            "state": self.state.value if self.state else "",
            "tenant": self.tenant,
            "policy": self.policy,
            "sort": "" if self.sort == "route" else self.sort,
            "order": "desc" if self.descending else "",
            "page": "" if self.page == 1 else str(self.page),
        }
        return {name: value for name, value in (told | changes).items() if value}


class Listing:
    """Makes pages. One for the process: it keeps what was read of all routes."""

    def __init__(self, background: Background) -> None:
        self._background = background
        self._ordered = Ordered()
        self._turn = asyncio.Lock()
        self._read: dict[RouteId, Status] = {}
        self._read_at = float("-inf")
        self._of: object = None

    def shown(self, desk: PagesDesk, viewer: Viewer) -> Shown:
        """The routes that exist for `viewer`, by id, and what may be chosen among them."""
        return self._ordered.shown(desk.directory, viewer.tenant)

    async def page(self, desk: PagesDesk, viewer: Viewer, wanted: Wanted) -> Part[Status]:
        """The page that is wanted, or the last one before it. Raises StoreTrouble."""
        chosen = self.shown(desk, viewer).routes
        if wanted.search or wanted.tenant or wanted.policy:
            chosen = [each for each in chosen if _is_chosen(desk, each, wanted)]
        if wanted.state is None and wanted.sort == "route":
            chosen = chosen[::-1] if wanted.descending else chosen
        elif wanted.state is None and wanted.sort in CONFIGURED:
            key = CONFIGURED[wanted.sort]
            chosen = sorted(chosen, key=lambda route: key(desk, route), reverse=wanted.descending)
        else:
            chosen = await self._by_counts(desk, chosen, wanted)
        part = part_of(chosen, wanted.page)
        rows = await desk.statuses(part.rows)
        return Part(rows, part.first, part.count, part.number, part.last)

    async def _by_counts(
        self, desk: PagesDesk, routes: Sequence[Route], wanted: Wanted
    ) -> Sequence[Route]:
        known = await self._all(desk, routes)
        found = [(route, known[route.id]) for route in routes if route.id in known]
        if wanted.state is not None:
            found = [each for each in found if each[1].state is wanted.state]
        if wanted.sort in COUNTED:
            count = COUNTED[wanted.sort]
            found.sort(key=lambda each: count(each[1]), reverse=wanted.descending)
        else:
            key = CONFIGURED[wanted.sort]
            found.sort(key=lambda each: key(desk, each[0]), reverse=wanted.descending)
        return [route for route, _ in found]

    async def _all(self, desk: PagesDesk, routes: Sequence[Route]) -> dict[RouteId, Status]:
        """What is known of `routes`, and more: a few that are new are read at once."""
        age_s = time.monotonic() - self._read_at
        if age_s > STALE_S:
            await self._read_all(desk, STALE_S)
        elif age_s > FRESH_S or self._of is not desk.directory:
            self._background.start(self._read_anew(desk))
        new = [route for route in routes if route.id not in self._read]
        if len(new) > READ_AT_ONCE:
            await self._read_all(desk, 0.0)
        elif new:
            self._read = self._read | {each.route.id: each for each in await desk.statuses(new)}
        return self._read

    async def _read_anew(self, desk: PagesDesk) -> None:
        with suppress(StoreTrouble):  # whoever looks next tries again
            await self._read_all(desk, 0.0 if self._of is not desk.directory else FRESH_S)

    async def _read_all(self, desk: PagesDesk, older_s: float) -> None:
        """Read every route, unless somebody has while this waited for its turn."""
        asked_at = time.monotonic()
        async with self._turn:
            if self._read_at > asked_at - older_s and self._of is desk.directory:
                return
            directory, found = desk.directory, dict[RouteId, Status]()
            routes = directory.routes()
            for start in range(0, len(routes), READ_AT_ONCE):
                batch = await desk.statuses(routes[start : start + READ_AT_ONCE])
                found |= {each.route.id: each for each in batch}
            self._of, self._read, self._read_at = directory, found, time.monotonic()


def _is_chosen(desk: PagesDesk, route: Route, wanted: Wanted) -> bool:
    return (
        is_part(wanted.search, str(route.id))
        and wanted.tenant in {"", desk.tenant_of(route)}
        and wanted.policy in {"", route.policy.name}
    )
