"""Which provider a recipient's domain has: `ports.Providers`.

The data file knows the large ones by name. For the rest: what this process remembers, what
the store remembers, and else `other` for now, while the DNS is asked in the background.
What is remembered is what the DNS said, not what it meant: an edit of the data file holds
at once for every domain.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Final

import structlog

from relay.concurrency.background import Background
from relay.core.domain import normalize_domain
from relay.core.errors import StoreTrouble
from relay.core.providers import (
    OTHER,
    How,
    MxFinding,
    MxKind,
    ProviderAnswer,
    ProviderTable,
)
from relay.ports import ProviderCache
from relay.providers.asking import AT_ONCE, MOST_WAITING, Asking
from relay.providers.mx import MxResolver
from relay.providers.recent import Known, Recent

STORE_S: Final = 0.05
"""How long a message may wait for what the store remembers."""

MOST_RECENT: Final = 50_000
EXPLAIN_S: Final = 10.0

log = structlog.get_logger(__name__)


class Lookup:
    """`ports.Providers` by `table`, which is asked for at every call, `cache` and the DNS.

    `close` it before the background is drained.
    """

    def __init__(
        self,
        table: Callable[[], ProviderTable],
        cache: ProviderCache,
        background: Background,
        resolver: MxResolver,
        monotonic: Callable[[], float] = time.monotonic,
        *,
        at_once: int = AT_ONCE,
        most_waiting: int = MOST_WAITING,
        most_recent: int = MOST_RECENT,
    ) -> None:
        self._table = table
        self._cache = cache
        self._resolver = resolver
        self._recent = Recent(most_recent, monotonic)
        self._asking = Asking(self._learn, background, at_once, most_waiting)

    def __len__(self) -> int:
        """Domains that wait for the DNS."""
        return len(self._asking)

    async def of(self, domains: Collection[str]) -> dict[str, str]:
        """See `ports.Providers`."""
        table = self._table()
        found: dict[str, str] = {}
        unknown: list[str] = []
        for domain in domains:
            provider = table.by_domain(domain) or self._remembered(domain, table)
            if provider is None:
                unknown.append(domain)
            else:
                found[domain] = provider
        if unknown:
            found |= await self._unknown(unknown, table)
        return found

    async def explain(self, domain: str) -> ProviderAnswer:
        """See `ports.Providers`."""
        name = _normal(domain)
        if name is None:
            return ProviderAnswer(OTHER, How.UNKNOWN, "not a domain name")
        table = self._table()
        if claim := table.claim(name):
            return ProviderAnswer(claim.name, How.FILE, claim.path, name, claim.path)
        finding = self._fresh(name) or await self._recalled(name)
        if finding is not None:
            return _answer(finding, How.CACHE, table)
        return await self._asked_now(name, table)

    def close(self) -> None:
        """Ask no more."""
        self._asking.close()

    def _remembered(self, domain: str, table: ProviderTable) -> str | None:
        known = self._recent.get(domain)
        if known is None:
            return None
        if not self._recent.is_fresh(known):
            self._asking.want(domain)
        return known.provider_in(table)

    async def _unknown(self, domains: Sequence[str], table: ProviderTable) -> dict[str, str]:
        """Junk is `other`; a name that was not in its one form is looked up in it."""
        names = {domain: name for domain in domains if (name := _normal(domain))}
        missing = {name for name in names.values() if not self._is_known(name, table)}
        await self._recall(sorted(missing))
        for name in missing:
            if self._recent.get(name) is None:
                self._asking.want(name)
        return {
            domain: self._provider(names[domain], table) if domain in names else OTHER
            for domain in domains
        }

    def _is_known(self, name: str, table: ProviderTable) -> bool:
        """Or is being asked about: whoever began that has asked the store."""
        if table.claim(name) is not None or name in self._asking:
            return True
        return self._recent.get(name) is not None

    def _provider(self, name: str, table: ProviderTable) -> str:
        return table.by_domain(name) or self._remembered(name, table) or OTHER

    async def _recall(self, names: Sequence[str]) -> None:
        """Take in what the store remembers of `names`, if it says so in time."""
        if not names:
            return
        try:
            async with asyncio.timeout(STORE_S):
                stored = await self._cache.get(names)
        except (StoreTrouble, TimeoutError):
            return
        except Exception:  # whatever it is, no message is held up for it
            log.exception("providers.cache_failed")
            return
        for name, finding in stored.items():
            self._recent.learn(name, finding)

    async def _recalled(self, name: str) -> MxFinding | None:
        await self._recall([name])
        return self._fresh(name)

    def _fresh(self, name: str) -> MxFinding | None:
        known = self._recent.get(name)
        if known is None or not known.finding.is_known or not self._recent.is_fresh(known):
            return None
        return known.finding

    async def _learn(self, name: str) -> MxFinding:
        """From the store, if another relay has asked meanwhile, else the DNS. Never raises."""
        stored = await self._recalled(name)
        if stored is not None:
            return stored
        finding = await self._resolver.find(name)
        self._recent.learn(name, finding)
        if finding.is_known:
            await self._keep(name, finding)
        return finding

    async def _keep(self, name: str, finding: MxFinding) -> None:
        try:
            await self._cache.put(name, finding)
        except StoreTrouble:
            return
        except Exception:  # it is only a cache
            log.exception("providers.cache_failed")

    async def _asked_now(self, name: str, table: ProviderTable) -> ProviderAnswer:
        try:
            async with asyncio.timeout(EXPLAIN_S):
                finding = await self._asking.at_once(name)
        except TimeoutError:
            finding = MxFinding(MxKind.UNKNOWN, why=f"no answer within {EXPLAIN_S:g} s")
        known = self._recent.get(name)
        if not finding.is_known and known is not None and known.finding.is_known:
            return _expired(known, finding, table)
        return _answer(finding, How.MX if finding.is_known else How.UNKNOWN, table)


def _normal(domain: str) -> str | None:
    try:
        return normalize_domain(domain)
    except ValueError:
        return None


def _expired(known: Known, finding: MxFinding, table: ProviderTable) -> ProviderAnswer:
    older = _answer(known.finding, How.CACHE, table)
    return replace(older, detail=f"{older.detail} (expired, but now: {finding.why})")


def _answer(finding: MxFinding, how: How, table: ProviderTable) -> ProviderAnswer:
    match = table.match(finding.hosts)
    host = match[1] if match else next(iter(finding.hosts), "no host")
    detail = {
        MxKind.MX: f"MX {host}",
        MxKind.IMPLICIT: f"no MX; its own address, {host} (RFC 5321 §5.1)",
        MxKind.NULL: "null MX: it takes no mail (RFC 7505)",
        MxKind.NO_DOMAIN: "there is no such domain",
        MxKind.NO_HOST: "neither MX nor address",
        MxKind.UNKNOWN: finding.why,
    }[finding.kind]
    if match is None:
        return ProviderAnswer(OTHER, how, detail)
    entry, _, pattern = match
    return ProviderAnswer(entry.name, how, detail, pattern, entry.path)
