"""Providers of recipients, as a test states them."""

from __future__ import annotations

from relay.core.providers import OTHER, How, ProviderAnswer


class KnownProviders:
    """Knows `domains`; everybody else is `other`. Remembers what it was asked for."""

    def __init__(self, **providers: str) -> None:
        self.domains = {domain: name for name, domain in providers.items()}
        self.asked: list[set[str]] = []

    async def of(self, domains):
        self.asked.append(set(domains))
        return {domain: self.domains.get(domain, OTHER) for domain in domains}

    async def explain(self, domain):
        return ProviderAnswer(self.domains.get(domain, OTHER), How.FILE, "a test")
