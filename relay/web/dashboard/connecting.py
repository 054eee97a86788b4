"""`/dashboard/connect`, and what an empty dashboard shows: the way from nothing to the first send.

Add a domain, publish its records, point an application here: each with text to copy.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from relay.core.config import ListenerAuth, ListenerTls
from relay.core.tenants.tenancy import SendingDomain, Tenant
from relay.core.tenants.users import Viewer
from relay.ports.domains import DomainState, Which
from relay.web.dashboard.desk import PagesDesk, desk_of, viewer_of
from relay.web.dashboard.domain_pages import FIELDS, by, form_values
from relay.web.dashboard.framing import page
from relay.web.dashboard.rendering import render

MOST_DOMAINS: Final = 20
APPS: Final = (
    ("django", "Django", "settings.py"),
    ("rails", "Rails", "config/environments/production.rb"),
    ("laravel", "Laravel", ".env"),
    ("nodemailer", "nodemailer", "JavaScript"),
    ("listmonk", "listmonk", "config.toml, or Settings → SMTP"),
    ("mautic", "Mautic", "Configuration → Email Settings, or config/local.php"),
    ("postfix", "Postfix", "/etc/postfix/main.cf"),
)


@dataclass(frozen=True, slots=True)
class Snippet:
    """Text to copy. `place` is where it goes."""

    key: str
    name: str
    place: str
    text: str


async def show(request: Request) -> Response:
    """The three steps."""
    desk, viewer = desk_of(request), viewer_of(request)
    domains = [each for each in desk.directory.domains.values() if viewer.sees(each.tenant)]
    shown = domains[:MOST_DOMAINS]
    records = await asyncio.to_thread(_records, desk.records, shown)
    tenants = desk.directory.tenants
    tenant = viewer.tenant or (shown[0].tenant if shown else next(iter(tenants), "acme"))
    example = shown[0].name if shown else "news.example.com"
    way_in = _way_in(desk, tenants.get(tenant, Tenant(tenant)))
    values = {**way_in, "domain": example, "tenant": tenant}
    return page(
        request,
        "connect.html",
        "connect",
        domains=domains,
        records=records,
        pending=_pending(desk, viewer),
        given=dict.fromkeys(FIELDS, ""),
        **form_values(request),
        snippets=[
            Snippet(key, name, place, render(f"snippets/{key}.txt", **values).strip())
            for key, name, place in APPS
        ],
        **values,
    )


def _way_in(desk: PagesDesk, tenant: Tenant) -> dict[str, Any]:
    """Where and how an application of `tenant` comes in: as the listener and its config have it."""
    host, listener = desk.submission
    may_be_plain = listener.tls is not ListenerTls.NONE or listener.plaintext_auth
    takes_names = listener.auth is not ListenerAuth.NONE and may_be_plain
    names = [each.username for each in tenant.credentials]
    needs_name = bool(names) or not tenant.networks or listener.auth is ListenerAuth.REQUIRED
    return {
        "host": host,
        "port": listener.port,
        "tls": listener.tls.value,
        "logs_in": takes_names and needs_name,
        "user": names[0] if names else tenant.name,
    }


def _pending(desk: PagesDesk, viewer: Viewer) -> list[str]:
    views = desk.domains.all(by(viewer), Which(state=DomainState.PENDING))
    return [each.name for each in views[:MOST_DOMAINS]]


def _records(
    records: Callable[[SendingDomain], list[str]], domains: list[SendingDomain]
) -> dict[str, str]:
    return {each.name: "".join(records(each)) for each in domains}
