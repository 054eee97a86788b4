"""Who may send what, as plain values: tenants, credentials, domains, routes.

The settings room builds one `Directory` from the config file; the edge and the pipeline
only look things up in it. A reload makes a new one: nothing in it ever changes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path

from relay.core.domain import normalize_domain
from relay.core.policy.policy import Excess, MailClass, Policy
from relay.core.tenants.brand import Brand

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Credential:
    """A generated token's keyed hash (`secret`, see `settings/tokens.py`) and its class."""

    username: str
    secret: str = field(repr=False)
    mail_class: MailClass | None = None


@dataclass(frozen=True, slots=True)
class DkimKey:
    """A selector and the file that holds its private key."""

    selector: str
    path: Path


@dataclass(frozen=True, slots=True)
class SealedKey:
    """A selector, and a private key as the store has it: `sealed` (`signing/sealing.py`).

    `record` is the text of the TXT record that publishes its public half.
    """

    selector: str
    record: str
    sealed: str = field(repr=False)


@dataclass(frozen=True, slots=True, order=True)
class RouteId:
    """Domain and upstream: what a warm-up is counted for."""

    domain: str
    upstream: str

    def __str__(self) -> str:
        return f"{self.domain}@{self.upstream}"


@dataclass(frozen=True, slots=True)
class Route:
    """A route and its policy (`policy.EXEMPT` where there is no warm-up).

    `place` is where it stands among the routes of its domain; 0 is the first.
    """

    id: RouteId
    policy: Policy
    place: int = 0

    @property
    def name(self) -> str:
        """What people call it (DESIGN §7): its domain, or domain@upstream where it is not first."""
        return str(self.id) if self.place else self.id.domain


@dataclass(frozen=True, slots=True)
class SendingDomain:
    """A domain that a tenant may send from. `name` is a lower case A-label.

    `routes` are in order of preference; there is at least one. `mail_class` is that of mail
    whose header and credential name none.
    """

    name: str
    tenant: str
    routes: tuple[Route, ...]
    envelope_domains: frozenset[str] = frozenset()
    dkim: tuple[DkimKey | SealedKey, ...] = ()
    mail_class: MailClass | None = None

    @property
    def walk(self) -> tuple[Route, ...]:
        """The routes that mail may take, in order: up to the first that does not overflow."""
        if len(self.routes) == 1:  # nearly always
            return self.routes
        for end, route in enumerate(self.routes, 1):
            if route.policy.excess is not Excess.OVERFLOW:
                return self.routes[:end]
        return self.routes


@dataclass(frozen=True, slots=True)
class Tenant:
    """A customer of the relay."""

    name: str
    credentials: tuple[Credential, ...] = ()
    networks: tuple[IPNetwork, ...] = ()
    domains: tuple[SendingDomain, ...] = ()
    brand: Brand = field(default_factory=Brand)

    def senders(self) -> dict[str, tuple[SendingDomain, ...]]:
        """Every domain that may stand in this tenant's envelopes, and whom it stands for."""
        found: dict[str, tuple[SendingDomain, ...]] = {}
        for domain in self.domains:
            for name in {domain.name, *domain.envelope_domains}:
                found[name] = (*found.get(name, ()), domain)
        return found


@dataclass(frozen=True, slots=True)
class Withheld:
    """A domain that `tenant` has added and that nothing is sent from.

    `is_pending`: until it is verified. Else its record makes no sense under this config.
    """

    tenant: str
    is_pending: bool


@dataclass(frozen=True, slots=True)
class Directory:
    """Every tenant, with the look-ups that a message needs. Built by `directory_of`.

    `withheld` is what `added.py` has kept out. `is_whole` is False while nobody has read yet
    which domains were added: a domain that is not here may then be one all the same.
    """

    tenants: dict[str, Tenant] = field(default_factory=dict)
    domains: dict[str, SendingDomain] = field(default_factory=dict)
    credentials: dict[str, tuple[Credential, Tenant]] = field(default_factory=dict)
    networks: tuple[tuple[IPNetwork, Tenant], ...] = ()
    senders: dict[str, dict[str, tuple[SendingDomain, ...]]] = field(default_factory=dict)
    withheld: dict[str, Withheld] = field(default_factory=dict)
    is_whole: bool = True

    def tenant_at(self, address: IPAddress) -> Tenant | None:
        """The tenant whose network holds `address`; the narrowest network wins."""
        if isinstance(address, IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        return next((tenant for network, tenant in self.networks if address in network), None)

    def may_send_as(self, tenant: Tenant, envelope_domain: str) -> bool:
        """Whether `envelope_domain` (lower case A-label) may stand in `tenant`'s envelopes."""
        return envelope_domain in self.senders.get(tenant.name, {})

    def standing_in(self, tenant: Tenant, envelope_domain: str) -> SendingDomain | None:
        """The sending domain that `envelope_domain` stands for, where it can only be one."""
        found = self.senders.get(tenant.name, {}).get(envelope_domain, ())
        return found[0] if len(found) == 1 else None

    def withheld_from(self, tenant: Tenant, domain: str) -> Withheld | None:
        """What keeps `tenant` from sending as `domain`, if it is one that it has added."""
        found = self.withheld.get(domain)
        return found if found and found.tenant == tenant.name else None

    def routes(self) -> list[Route]:
        """Every route, in the order of the config."""
        return [route for domain in self.domains.values() for route in domain.routes]

    def route_named(self, name: str) -> Route | None:
        """The route called `name`: `domain` for its first, or `domain@upstream`.

        Raises ValueError, in words for people, for what is no domain name.
        """
        domain, _, upstream = name.partition("@")
        found = self.domains.get(normalize_domain(domain))
        routes = found.routes if found else ()
        return next((r for r in routes if upstream in {"", r.id.upstream}), None)


def directory_of(tenants: list[Tenant]) -> Directory:
    """The directory of `tenants`, whose names, domains and usernames are unique."""
    networks = [(network, tenant) for tenant in tenants for network in tenant.networks]
    return Directory(
        tenants={tenant.name: tenant for tenant in tenants},
        domains={domain.name: domain for tenant in tenants for domain in tenant.domains},
        credentials={c.username: (c, tenant) for tenant in tenants for c in tenant.credentials},
        networks=tuple(sorted(networks, key=lambda pair: -pair[0].prefixlen)),
        senders={tenant.name: tenant.senders() for tenant in tenants},
    )
