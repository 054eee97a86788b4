"""What the routes of the API work with, and who is asking."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from relay.core.config import Limits
from relay.core.status.report import Status
from relay.core.tenants.access import ApiToken, Scope
from relay.core.tenants.tenancy import Directory, Route
from relay.ports import Clock, QuotaStore, Settings
from relay.ports.domains import Domains
from relay.ports.web import Access, AuditLog, Changes, Outbox
from relay.reporting import route_for, statuses_of, tenant_of
from relay.web.api.problems import Problem
from relay.web.ordered import Ordered


@dataclass(frozen=True, slots=True)
class Desk:
    """The other rooms, as the API knows them.

    `composing` is held by what writes or reads a large message in a thread: one at a time, so
    that the loop has its share of the interpreter.
    """

    settings: Settings
    store: QuotaStore
    changes: Changes
    audit: AuditLog
    outbox: Outbox
    access: Access
    clock: Clock
    limits: Limits
    domains: Domains
    ordered: Ordered = field(default_factory=Ordered)
    composing: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))

    @property
    def directory(self) -> Directory:
        """Tenants, domains, routes and policies in force."""
        return self.settings.directory

    def route(self, bearer: ApiToken, name: str) -> Route:
        """The route called `name`, if it exists for `bearer`. Raises Problem (404)."""
        found = route_for(self.directory, bearer, name)
        if found is None:
            raise Problem(404, f"there is no route {name[:300]!r}")
        return found

    def tenant_of(self, route: Route) -> str:
        """Whose it is; empty where its domain has been removed since."""
        return tenant_of(self.directory, route)

    def owner_of(self, domain: str) -> str:
        """The tenant of `domain`; empty where the domain is no more."""
        found = self.directory.domains.get(domain)
        return found.tenant if found else ""

    async def statuses(self, routes: Sequence[Route]) -> list[Status]:
        """Where each of `routes` stands now. Raises StoreTrouble."""
        wanted = [(route, self.tenant_of(route)) for route in routes]
        return await statuses_of(self.store, self.clock, wanted)


# FastAPI sends a dependency that is no coroutine to a thread and waits for it there.
async def desk_of(request: Request) -> Desk:
    """The desk of the application."""
    desk = request.app.state.desk
    assert isinstance(desk, Desk)
    return desk


def bearer_of(request: Request) -> ApiToken:
    """Who came in by the door."""
    bearer = request.scope["state"]["bearer"]
    assert isinstance(bearer, ApiToken)
    return bearer


def _with(scope: Scope) -> Callable[[Request], Awaitable[ApiToken]]:
    async def allowed(request: Request) -> ApiToken:
        bearer = bearer_of(request)
        if not bearer.may(scope):
            raise Problem(403, f"the token lacks the scope {scope.value}")
        return bearer

    return allowed


TheDesk = Annotated[Desk, Depends(desk_of)]
Reader = Annotated[ApiToken, Depends(_with(Scope.READ))]
Sender = Annotated[ApiToken, Depends(_with(Scope.SEND))]
Changer = Annotated[ApiToken, Depends(_with(Scope.MANAGE))]
Operator = Annotated[ApiToken, Depends(_with(Scope.OPERATOR))]
