"""`ports.ProviderCache` as a dict of texts, by a clock of the test's."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from relay.core.providers import MxFinding
from relay.store.shelves.provider_cache import finding_from, stale_s, text_of


class MemoryProviderCache:
    """Never raises."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._kept: dict[str, tuple[str, float]] = {}

    async def get(self, domains: Sequence[str]) -> dict[str, MxFinding]:
        found = {domain: self._read(domain) for domain in domains}
        return {domain: finding for domain, finding in found.items() if finding}

    async def put(self, domain: str, finding: MxFinding) -> None:
        until = self._monotonic() + finding.ttl_s + stale_s(finding.kind)
        self._kept[domain] = (text_of(finding), until)

    def _read(self, domain: str) -> MxFinding | None:
        text, until = self._kept.get(domain, (None, 0.0))
        return finding_from(text, int((until - self._monotonic()) * 1000))
