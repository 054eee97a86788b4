"""Mailbox providers: who stands behind a recipient's domain, by name or by MX.

Plain look-ups in what `policies/providers.yaml` and the files over it say, and the words in
which the rest speaks of DNS. Asks nobody: DNS and its caches are `relay/providers/`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

OTHER: Final = "other"
"""The provider of every domain that is nobody's, or not known yet."""

RESERVED: Final = frozenset({OTHER, "default"})
"""Names that no provider may have: policies use them for the rest."""

LEAST_TTL_S: Final = 300.0
MOST_TTL_S: Final = 86_400.0
"""Between these an answer of the DNS is fresh, whatever its own TTL."""

STALE_S: Final = 86_400.0
"""How much longer an answer serves while no newer one can be had (RFC 8767 §4: 1–3 days)."""

MOST_HOSTS: Final = 16
"""MX hosts of one domain that are looked at; more of one preference are not honest."""


class MxKind(StrEnum):
    """What the DNS said about the mail of a domain."""

    MX = "mx"
    IMPLICIT = "implicit"
    NULL = "null"
    NO_DOMAIN = "no-domain"
    NO_HOST = "no-host"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class MxFinding:
    """The hosts that take a domain's mail: those of the lowest preference, at most MOST_HOSTS.

    `IMPLICIT` is the domain itself, which has an address but no MX (RFC 5321 §5.1); `NULL`
    takes no mail (RFC 7505); `UNKNOWN` is no answer, and `why` says what became of it.
    `ttl_s` is how long it is fresh from now; not above 0 is stale.
    """

    kind: MxKind
    hosts: tuple[str, ...] = ()
    ttl_s: float = 0.0
    why: str = ""

    @property
    def is_known(self) -> bool:
        """Whether the DNS answered."""
        return self.kind is not MxKind.UNKNOWN


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider as the file `path` has it.

    `domains` are normalised recipient domains. `mx` are host names, or suffixes that begin
    with a dot. `extends`: it adds to what the files below say of it, and else replaces it.
    """

    name: str
    description: str = ""
    source: str = ""
    domains: tuple[str, ...] = ()
    mx: tuple[str, ...] = ()
    extends: bool = False
    path: str = ""


@dataclass(frozen=True, slots=True)
class ProviderTable:
    """Providers in layers; of two that claim the same domain or pattern the later one has it."""

    entries: tuple[Provider, ...] = ()
    names: frozenset[str] = field(init=False, compare=False, repr=False)
    _domains: dict[str, Provider] = field(init=False, compare=False, repr=False)
    _patterns: dict[str, Provider] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Index the entries."""
        names = frozenset(entry.name for entry in self.entries) | {OTHER}
        domains = {domain: entry for entry in self.entries for domain in entry.domains}
        patterns = {pattern: entry for entry in self.entries for pattern in entry.mx}
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "_domains", domains)
        object.__setattr__(self, "_patterns", patterns)

    def by_domain(self, domain: str) -> str | None:
        """The provider that has `domain` (normalised) by name; None where none has."""
        entry = self._domains.get(domain)
        return None if entry is None else entry.name

    def claim(self, domain: str) -> Provider | None:
        """As `by_domain`: the entry, which knows its file."""
        return self._domains.get(domain)

    def by_mx(self, hosts: Iterable[str]) -> str | None:
        """The provider of `hosts`, lower case names of the lowest preference; None if nobody's.

        The longest pattern that matches any of them wins.
        """
        found = self.match(hosts)
        return None if found is None else found[0].name

    def match(self, hosts: Iterable[str]) -> tuple[Provider, str, str] | None:
        """As `by_mx`: the entry, the host that gave it away, and the pattern that it matches."""
        found = [(pattern, host) for host in hosts if (pattern := self._pattern(host))]
        if not found:
            return None
        pattern, host = max(found, key=lambda pair: len(pair[0]))
        return self._patterns[pattern], host, pattern

    def _pattern(self, host: str) -> str | None:
        """The longest pattern that `host` matches."""
        if host in self._patterns:
            return host
        dot = host.find(".")
        while dot >= 0:
            if host[dot:] in self._patterns:
                return host[dot:]
            dot = host.find(".", dot + 1)
        return None


def layered(layers: Iterable[Iterable[Provider]]) -> ProviderTable:
    """The table of `layers`, from the lowest up."""
    entries: list[Provider] = []
    for layer in layers:
        for provider in layer:
            if not provider.extends:
                entries = [entry for entry in entries if entry.name != provider.name]
            entries.append(provider)
    return ProviderTable(tuple(entries))


class How(StrEnum):
    """How a provider was found out."""

    FILE = "data file"
    MX = "MX"
    CACHE = "cache"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ProviderAnswer:
    """A domain's provider, and how that is known: `detail` names the file, or what DNS said.

    `claim` is the domain or the MX pattern that decided it, as the data file `path` has it;
    empty where nobody claims the domain.
    """

    provider: str
    how: How
    detail: str
    claim: str = ""
    path: str = ""
