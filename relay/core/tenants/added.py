"""Domains that tenants add while the relay runs, and how they join those of the config.

Plain values. The store keeps them (`store/shelves/domains.py`), the live settings join them. A
domain that is not proven yet, or whose routes make no sense under the config in force, is
withheld: nothing is sent from it, and everything else goes on. The config always wins.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from relay.core.domain import is_own_form, normalize_domain
from relay.core.policy.policy import EXEMPT, Excess, MailClass, Policy
from relay.core.tenants.tenancy import (
    Directory,
    Route,
    RouteId,
    SealedKey,
    SendingDomain,
    Withheld,
)

TOKEN_PREFIX: Final = "warmup-relay-verification="  # noqa: S105 - no password
TOKEN_LABEL: Final = "_warmup-relay"  # noqa: S105 - no password
MOST_NAME: Final = 220
"""Characters of a name: what is left of 253 with the selector of a key before it."""
MOST_ROUTES: Final = 10
MOST_ENVELOPE_DOMAINS: Final = 20


@dataclass(frozen=True, slots=True)
class RouteWish:
    """A route as somebody asks for it: the names of an upstream and of a policy."""

    upstream: str
    policy: str


@dataclass(frozen=True, slots=True)
class AddedDomain:
    """A domain as it is kept. `mark` is new at every change; the store gives it.

    `token` is what its TXT record has to say. `proven_at` None: pending. `proven_by` says how it
    was proven, for people. `mail_class` counts where neither header nor credential names one.
    """

    name: str
    tenant: str
    routes: tuple[RouteWish, ...]
    token: str
    created_at: datetime
    created_by: str
    envelope_domains: tuple[str, ...] = ()
    mail_class: MailClass | None = None
    dkim: tuple[SealedKey, ...] = field(default=(), repr=False)
    proven_at: datetime | None = None
    proven_by: str = ""
    mark: str = ""

    @property
    def is_proven(self) -> bool:
        """Whether its owner has shown that it is theirs, or an operator said so."""
        return self.proven_at is not None


class BadWish(ValueError):
    """What is asked for makes no sense; `where` is the field, the text says why, for people."""

    def __init__(self, where: str, text: str) -> None:
        super().__init__(text)
        self.where = where


@dataclass(frozen=True, slots=True)
class Offer:
    """What routes may be made of: the upstreams and policies of the config in force."""

    upstreams: frozenset[str]
    policies: Mapping[str, Policy]

    def policy(self, name: str) -> Policy | None:
        """The policy of that name."""
        return EXEMPT if name == EXEMPT.name else self.policies.get(name)

    def routes(self, domain: str, wishes: Sequence[RouteWish]) -> tuple[Route, ...]:
        """`wishes` as routes of `domain`. Raises BadWish."""
        if not wishes:
            raise BadWish("routes", "at least one route is needed")
        found: list[Route] = []
        for place, wish in enumerate(wishes):
            where = f"routes.{place}"
            policy = self.policy(wish.policy)
            if wish.upstream not in self.upstreams:
                raise BadWish(f"{where}.upstream", _unknown("upstream", wish.upstream))
            if policy is None:
                raise BadWish(f"{where}.policy", _unknown("policy", wish.policy))
            if any(route.id.upstream == wish.upstream for route in found):
                raise BadWish(f"{where}.upstream", f"{wish.upstream} is that of a route before")
            found.append(Route(RouteId(domain, wish.upstream), policy, place))
        return tuple(found)


def check_reached(routes: Sequence[Route]) -> None:
    """Raise BadWish where mail never comes to one of `routes` (docs/overflow.md)."""
    for route in routes[:-1]:
        if route.policy.excess is not Excess.OVERFLOW:
            told = f"no mail ever comes to this route: {route.policy.name} before it"
            raise BadWish(f"routes.{route.place + 1}", f"{told} does not say excess: overflow")


def check_added_name(text: str) -> str:
    """`text` as the name of a domain that may be added (lower case A-label). Raises BadWish."""
    try:
        name = normalize_domain(text)
    except ValueError as wrong:
        raise BadWish("name", str(wrong)[:300]) from wrong
    if "." not in name:
        raise BadWish("name", f"{name} is a top-level domain: nobody sends from it")
    if not is_own_form(text.removesuffix("."), name):
        raise BadWish("name", f"write it as {name}")
    if len(name) > MOST_NAME:
        raise BadWish("name", f"more than {MOST_NAME} characters leave no room for its records")
    return name


def check_envelope_domains(domain: AddedDomain, directory: Directory) -> None:
    """Raise BadWish for one that the proof of `domain` does not cover, or that is another's."""
    for place, name in enumerate(domain.envelope_domains):
        where = f"envelope_domains.{place}"
        if not name.endswith(f".{domain.name}"):
            raise BadWish(where, f"{name} is not below {domain.name}")
        if not _is_free(directory, name, domain.tenant):
            raise BadWish(where, f"{name} cannot be used: it is a sending domain of its own")


def _unknown(what: str, name: str) -> str:
    return f"there is no {what} {name[:64]!r} in the relay's config"


@dataclass(frozen=True, slots=True)
class Joined:
    """A directory with what was added, and `flaws`: why some of it is not in it, by domain."""

    directory: Directory
    flaws: Mapping[str, str]


def joined(base: Directory, added: Iterable[AddedDomain], offer: Offer) -> Joined:
    """`base`, which is that of the config and stays as it is, with those of `added` that fit."""
    domains: dict[str, SendingDomain] = {}
    withheld: dict[str, Withheld] = {}
    flaws: dict[str, str] = {}
    for each in added:
        flaw = _flaw(base, each)
        if flaw:
            flaws[each.name] = flaw
            continue
        try:
            domain = _domain(base, each, offer)
        except BadWish as wrong:
            flaws[each.name] = f"{wrong.where}: {wrong}"
            withheld[each.name] = Withheld(each.tenant, is_pending=False)
            continue
        if each.is_proven:
            domains[each.name] = domain
        else:
            withheld[each.name] = Withheld(each.tenant, is_pending=True)
    return Joined(_with(base, domains, withheld), flaws)


def _flaw(base: Directory, added: AddedDomain) -> str:
    if added.name in base.domains:
        return "the config names it too, and wins"
    if added.tenant not in base.tenants:
        return f"its tenant {added.tenant} is not in the config"
    return ""


def _domain(base: Directory, added: AddedDomain, offer: Offer) -> SendingDomain:
    own = {name for name in added.envelope_domains if _is_free(base, name, added.tenant)}
    return SendingDomain(
        name=added.name,
        tenant=added.tenant,
        routes=offer.routes(added.name, added.routes),
        envelope_domains=frozenset(own),
        dkim=added.dkim,
        mail_class=added.mail_class,
    )


def _is_free(base: Directory, name: str, tenant: str) -> bool:
    found = base.domains.get(name)
    return found is None or found.tenant == tenant


def _with(
    base: Directory, domains: dict[str, SendingDomain], withheld: dict[str, Withheld]
) -> Directory:
    """Without looking at each domain of `base`, of which there may be a hundred thousand."""
    if not domains:
        return replace(base, withheld=withheld)
    senders = dict(base.senders)
    for domain in domains.values():
        own = senders[domain.tenant]
        if own is base.senders[domain.tenant]:
            own = senders[domain.tenant] = dict(own)
        for name in {domain.name, *domain.envelope_domains}:
            own[name] = (*own.get(name, ()), domain)
    return replace(base, domains=base.domains | domains, senders=senders, withheld=withheld)
