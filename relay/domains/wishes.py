"""What is asked for of a domain, made sense of: its name, its fields, and what it may be.

No store and no key; `added.py` does what is found good here.
"""

from __future__ import annotations

from dataclasses import replace

from relay.core.config import Config
from relay.core.domain import normalize_domain
from relay.core.policy.policy import EXEMPT
from relay.core.tenants.added import (
    AddedDomain,
    BadWish,
    Offer,
    check_added_name,
    check_envelope_domains,
    check_reached,
)
from relay.ports.domains import By, DomainEdit, DomainRefused, Why


def bad(wrong: BadWish) -> DomainRefused:
    """The refusal that `wrong` is."""
    return DomainRefused(Why.BAD, str(wrong), wrong.where)


def checked_name(text: str) -> str:
    """`text` as a name that may be added. Raises DomainRefused."""
    try:
        return check_added_name(text)
    except BadWish as wrong:
        raise bad(wrong) from wrong


def normal(text: str) -> str:
    """The form that is compared; empty for what is no domain name."""
    try:
        return normalize_domain(text)
    except ValueError:
        return ""


def edited(domain: AddedDomain, wanted: DomainEdit) -> AddedDomain:
    """`domain` with what is wanted, unchecked save for its spelling. Raises DomainRefused."""
    mail_class = None if wanted.no_class else wanted.mail_class or domain.mail_class
    return replace(
        domain,
        routes=domain.routes if wanted.routes is None else wanted.routes,
        envelope_domains=_names(domain, wanted),
        mail_class=mail_class,
    )


def _names(domain: AddedDomain, wanted: DomainEdit) -> tuple[str, ...]:
    if wanted.envelope_domains is None:
        return domain.envelope_domains
    found = []
    for place, text in enumerate(wanted.envelope_domains):
        try:
            found.append(normalize_domain(text))
        except ValueError as wrong:
            raise DomainRefused(Why.BAD, str(wrong), f"envelope_domains.{place}") from wrong
    return tuple(dict.fromkeys(found))


def offer_of(base: Config) -> Offer:
    """What routes may be made of under `base`."""
    return Offer(frozenset(base.upstreams), base.policies)


def check_allowed(wanted: DomainEdit, by: By) -> None:
    """Raise DomainRefused for a route without any warm-up, unless an operator asks for it."""
    for place, route in enumerate(wanted.routes or ()):
        if route.policy == EXEMPT.name and by.tenant is not None:
            told = "exempt is for operators: it is no warm-up at all"
            raise DomainRefused(Why.BAD, told, f"routes.{place}.policy")


def check(base: Config, domain: AddedDomain, *, has_new_routes: bool) -> None:
    """Raise DomainRefused for what makes no sense under `base`.

    Routes are looked at where they are new: others may have lost their policy since.
    """
    try:
        if has_new_routes:
            check_reached(offer_of(base).routes(domain.name, domain.routes))
        check_envelope_domains(domain, base.directory)
    except BadWish as wrong:
        raise bad(wrong) from wrong


def stands_elsewhere(base: Config, domain: AddedDomain) -> bool:
    """In the config: as a domain, or as what another tenant's envelopes may say."""
    directory = base.directory
    return domain.name in directory.domains or any(
        domain.name in names
        for tenant, names in directory.senders.items()
        if tenant != domain.tenant
    )
