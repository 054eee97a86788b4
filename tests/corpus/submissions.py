"""Submissions, and the directory of two tenants that they are judged by."""

from __future__ import annotations

from datetime import UTC, datetime

from relay.core.mail.message import Client, Envelope, Recipient, Submission
from relay.core.policy.policy import EXEMPT
from relay.core.tenants.tenancy import (
    Directory,
    DkimKey,
    MailClass,
    Route,
    RouteId,
    SendingDomain,
    Tenant,
    directory_of,
)
from tests.corpus import DOMAIN

NOW = datetime(2026, 3, 3, 9, 30, tzinfo=UTC)


def sending_domain(
    name: str, tenant: str = "acme", dkim: tuple[DkimKey, ...] = ()
) -> SendingDomain:
    """A domain with two routes, the first of them over `outbound`."""
    routes = tuple(Route(RouteId(name, upstream), EXEMPT) for upstream in ("outbound", "warm"))
    bounces = frozenset({f"bounces.{name}"})
    return SendingDomain(name, tenant, routes, envelope_domains=bounces, dkim=dkim)


ACME = Tenant("acme", domains=(sending_domain(DOMAIN), sending_domain("acme.example")))
EVIL = Tenant("evil", domains=(sending_domain("evil.example", "evil"),))
DIRECTORY: Directory = directory_of([ACME, EVIL])


def submission(
    content: bytes,
    *,
    mail_from: str = f"news@{DOMAIN}",
    recipients: tuple[str, ...] = ("jo@receiver.example",),
    tenant: Tenant = ACME,
    mail_class: MailClass | None = None,
    smtputf8: bool = False,
    helo: str = "laptop.acme.example",
    address: str = "192.0.2.7",
) -> Submission:
    """What the edge would hand in."""
    client = Client(tenant, address, helo=helo, protocol="ESMTPSA", mail_class=mail_class)
    envelope = Envelope(mail_from, tuple(Recipient(r) for r in recipients), smtputf8=smtputf8)
    return Submission(client, envelope, content, "ref42", "session.1")
