"""A domain as people see it, wherever it is written, and the records that it publishes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

from relay.core.tenants.added import AddedDomain, RouteWish
from relay.core.tenants.published import DnsRecord, Purpose
from relay.core.tenants.tenancy import DkimKey, SealedKey, SendingDomain
from relay.ports.domains import DomainState, DomainView, Origin
from relay.signing.record import record_of

NOT_VERIFIED = "not verified yet: its TXT record is looked for again and again"


def view_of_added(domain: AddedDomain, flaw: str) -> DomainView:
    """An added domain; `flaw` is what the live settings have against it."""
    state, reason = DomainState.ACTIVE, ""
    if flaw:
        state, reason = DomainState.BROKEN, flaw
    elif not domain.is_proven:
        state, reason = DomainState.PENDING, NOT_VERIFIED
    return DomainView(
        name=domain.name,
        tenant=domain.tenant,
        source=Origin.API,
        state=state,
        reason=reason,
        routes=domain.routes,
        envelope_domains=domain.envelope_domains,
        mail_class=domain.mail_class,
        created_at=domain.created_at,
        created_by=domain.created_by,
        verified_at=domain.proven_at,
        verified_by=domain.proven_by,
        mark=domain.mark,
    )


def view_of_config(domain: SendingDomain) -> DomainView:
    """A domain of the config, which is active as it stands."""
    return DomainView(
        name=domain.name,
        tenant=domain.tenant,
        source=Origin.CONFIG,
        state=DomainState.ACTIVE,
        reason="",
        routes=tuple(RouteWish(each.id.upstream, each.policy.name) for each in domain.routes),
        envelope_domains=tuple(sorted(domain.envelope_domains)),
        mail_class=domain.mail_class,
        created_at=None,
        created_by="",
        verified_at=None,
        verified_by="",
        mark="",
    )


class Views(Sequence[DomainView]):
    """Domains as people see them; those of the config are put into words when looked at."""

    def __init__(self, domains: Sequence[SendingDomain | DomainView]) -> None:
        self._domains = domains

    def __len__(self) -> int:
        return len(self._domains)

    @overload
    def __getitem__(self, at: int) -> DomainView: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[DomainView]: ...
    def __getitem__(self, at: int | slice) -> DomainView | Sequence[DomainView]:
        if isinstance(at, slice):
            return Views(self._domains[at])
        found = self._domains[at]
        return view_of_config(found) if isinstance(found, SendingDomain) else found


def records_of(domain: str, keys: Sequence[DkimKey | SealedKey]) -> tuple[DnsRecord, ...]:
    """The records of those of `keys` that are there and can be read."""
    found = []
    for key in keys:
        try:
            record = record_of(domain, key)
        except (OSError, ValueError):  # a file that is not there yet, or holds no key
            continue
        found.append(DnsRecord(Purpose.DKIM, record.name, record.value))
    return tuple(found)
