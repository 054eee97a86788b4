"""What the pages work with, and whose request it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import Request

from relay.core.config import Listener
from relay.core.status.report import Status
from relay.core.tenants.tenancy import Directory, Route, SendingDomain
from relay.core.tenants.users import Viewer
from relay.ports import Clock, QuotaStore, Settings
from relay.ports.domains import Domains
from relay.ports.pages import History, Policies, Proving, Recent, SignIn, Tokens
from relay.ports.web import AuditLog, Changes, Outbox
from relay.reporting import route_for, statuses_of, tenant_of

MOST_FIELDS = 100


@dataclass(frozen=True, slots=True)
class PagesDesk:
    """The other rooms, as the pages know them.

    `submission` is host and listener for a mail client; `records` gives the DNS records of a
    domain's keys, as lines of a zone file.
    """

    settings: Settings
    store: QuotaStore
    changes: Changes
    audit: AuditLog
    clock: Clock
    sign_in: SignIn
    tokens: Tokens
    history: History
    recent: Recent
    outbox: Outbox
    domains: Domains
    policies: Policies
    proving: Proving
    submission: tuple[str, Listener]
    records: Callable[[SendingDomain], list[str]]

    @property
    def directory(self) -> Directory:
        """Tenants, domains, routes and policies in force."""
        return self.settings.directory

    def tenant_of(self, route: Route) -> str:
        """Whose it is; empty where its domain has been removed since."""
        return tenant_of(self.directory, route)

    def visible(self, viewer: Viewer) -> list[Route]:
        """The routes that exist for `viewer`, in the order of the config."""
        return [each for each in self.directory.routes() if viewer.sees(self.tenant_of(each))]

    def route(self, viewer: Viewer, name: str) -> Route:
        """The route called `name`. Raises HTTPException (404)."""
        found = route_for(self.directory, viewer, name)
        if found is None:
            raise HTTPException(404, f"There is no route {name[:300]!r} that you may see.")
        return found

    async def statuses(self, routes: Sequence[Route]) -> list[Status]:
        """Where each of `routes` stands now: one pipelined read. Raises StoreTrouble."""
        wanted = [(route, self.tenant_of(route)) for route in routes]
        return await statuses_of(self.store, self.clock, wanted)


def desk_of(request: Request) -> PagesDesk:
    """The desk of the application."""
    desk = request.app.state.desk
    assert isinstance(desk, PagesDesk)
    return desk


def viewer_of(request: Request) -> Viewer:
    """Who is looking; the guard has let nobody else in."""
    viewer = request.scope["state"]["viewer"]
    assert isinstance(viewer, Viewer)
    return viewer


def form_of(request: Request) -> dict[str, str]:
    """The fields of a form, the last of each name. Raises HTTPException (400)."""
    try:
        text = request.scope["state"]["body"].decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError:
        raise HTTPException(400, "The form cannot be read.") from None
    return dict(pairs)
