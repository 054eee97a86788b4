"""The Protocols about domains that are added while the relay runs.

As in `ports/__init__.py`, every promise is about atomicity, idempotency, cancellation and failure.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Protocol

from relay.core.domain import is_part
from relay.core.policy.policy import MailClass
from relay.core.quota.wording import timestamp
from relay.core.tenants.added import AddedDomain, Offer, RouteWish
from relay.core.tenants.published import DnsRecord


class Kept(StrEnum):
    """What came of keeping a domain."""

    DONE = "done"
    TAKEN = "taken"
    STALE = "stale"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record that is not one of ours; `why` is for the log."""

    why: str


class DomainShelf(Protocol):
    """Where added domains are kept, shared by every process on the store.

    Every verb has a deadline of its own. Raises StoreTrouble, nothing else.
    """

    async def put(self, domain: AddedDomain, *, instead: str | None, most: int) -> Kept:
        """Keep `domain` under its own, new mark. Atomic; saying it again changes nothing.

        `instead` is the mark that it has so far (else STALE); None: it is new (else TAKEN), and
        one of at most `most` of its tenant (else FULL).
        """

    async def remove(self, domain: AddedDomain) -> bool:
        """Forget `domain`, if its mark is still this one. Atomic."""

    async def get(self, name: str) -> AddedDomain | None:
        """The domain called `name`; None too where its record cannot be read."""

    async def edition(self) -> str:
        """Another text after every change of any domain, and after a route was paused.

        Cheap: asked again and again.
        """

    async def marks(self) -> dict[str, str]:
        """The mark of every domain, by its name."""

    async def some(self, names: Collection[str]) -> Mapping[str, AddedDomain | Unreadable]:
        """Those of `names` that are there."""


class Txt(Protocol):
    """The DNS, as far as it is asked for proofs."""

    async def texts(self, name: str) -> tuple[str, ...]:
        """The TXT records of `name`, each as one text. Raises NoDns, within a deadline."""


class NoDns(Exception):
    """The DNS did not answer; the text says why, for people."""


class Origin(StrEnum):
    """Where a domain is written."""

    API = "api"
    CONFIG = "config"


class DomainState(StrEnum):
    """`broken`: its routes make no sense under the config in force, and its mail is deferred."""

    PENDING = "pending"
    ACTIVE = "active"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Which:
    """The domains that are asked for: what is empty or None is any. `part` is of their names.

    `part` may be in letters where the names are A-labels; `prefix` is as the names are.
    """

    part: str = ""
    prefix: str = ""
    after: str = ""
    tenant: str | None = None
    state: DomainState | None = None
    source: Origin | None = None

    def takes(self, name: str, tenant: str) -> bool:
        """Whether a domain called so, of `tenant`, may be one of them."""
        named = name > self.after and name.startswith(self.prefix) and is_part(self.part, name)
        return named and self.tenant in {None, tenant}


EVERY: Final = Which()


@dataclass(frozen=True, slots=True)
class DomainView:
    """A domain as people see it. What only added domains have is None or empty for the others.

    `reason` says why it is not active; `mark` is another one after every change.
    """

    name: str
    tenant: str
    source: Origin
    state: DomainState
    reason: str
    routes: tuple[RouteWish, ...]
    envelope_domains: tuple[str, ...]
    mail_class: MailClass | None
    created_at: datetime | None
    created_by: str
    verified_at: datetime | None
    verified_by: str
    mark: str

    def fields(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "name": self.name,
            "tenant": self.tenant,
            "source": self.source.value,
            "state": self.state.value,
            "reason": self.reason,
            "class": self.mail_class.value if self.mail_class else None,
            "envelope_domains": list(self.envelope_domains),
            "routes": [{"upstream": each.upstream, "policy": each.policy} for each in self.routes],
            "created_at": timestamp(self.created_at) if self.created_at else None,
            "created_by": self.created_by,
            "verified_at": timestamp(self.verified_at) if self.verified_at else None,
            "verified_by": self.verified_by,
        }


@dataclass(frozen=True, slots=True)
class DomainEdit:
    """What a domain is to be; None leaves it as it is. `no_class` takes its class away."""

    routes: tuple[RouteWish, ...] | None = None
    envelope_domains: tuple[str, ...] | None = None
    mail_class: MailClass | None = None
    no_class: bool = False


@dataclass(frozen=True, slots=True)
class By:
    """Who asks, for the audit log; `tenant` None is an operator, for whom every domain exists."""

    actor: str
    tenant: str | None
    reason: str = ""

    def sees(self, tenant: str) -> bool:
        """Whether what belongs to `tenant` exists for them."""
        return self.tenant in {None, tenant}


class Why(StrEnum):
    """Why a domain is not as it was asked for."""

    UNKNOWN = "unknown"
    CONFLICT = "conflict"
    BAD = "bad"
    AWAY = "away"
    CHANGED = "changed"


class DomainRefused(Exception):
    """Nothing was done; the text says why, for people. `field` is what is wrong, if one is."""

    def __init__(self, why: Why, text: str, field: str = "") -> None:
        super().__init__(text)
        self.why = why
        self.field = field


class Domains(Protocol):
    """Domains, added and of the config. Every change has its entry in the audit log, ahead of it.

    A change is in force in this process when the call returns, in all others within a second.
    Raises DomainRefused, or StoreTrouble, after which it may have been done.
    """

    async def add(self, name: str, tenant: str, wanted: DomainEdit, by: By) -> DomainView:
        """Add `name` for `tenant`, with new DKIM keys; pending until it is verified."""

    async def change(
        self, name: str, wanted: DomainEdit, by: By, *, only: str | None = None
    ) -> DomainView:
        """Change what `wanted` says, all of it or nothing.

        `only` is the mark that it must still have (else CHANGED): nobody else's change is lost.
        """

    async def remove(self, name: str, by: By, *, only: str | None = None) -> DomainView:
        """Remove an added domain: as it was. Its counts stay, and its keys are gone.

        `only` as in `change`.
        """

    async def verify(self, name: str, by: By) -> DomainView:
        """Look for its TXT record now; an active domain stays so."""

    async def approve(self, name: str, by: By) -> DomainView:
        """Take an operator's word in place of the TXT record."""

    def offer(self) -> Offer:
        """What routes may be made of."""

    async def one(self, name: str, by: By) -> DomainView:
        """The domain called `name`."""

    def all(self, by: By, which: Which = EVERY) -> Sequence[DomainView]:
        """Those of `which` that exist for `by`, by name, as this process knows them.

        Each is put into words when it is looked at, so that a page costs what it shows.
        """

    async def records(self, view: DomainView) -> tuple[DnsRecord, ...]:
        """The DNS records to publish for it. Raises nothing but StoreTrouble."""
