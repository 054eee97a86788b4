"""What the DNS said lately, in this process: bounded, the least used goes first.

An answer is fresh for its TTL and may serve as stale for a while after. Times are those of
an injected monotonic clock, in seconds; nothing here waits or asks.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from random import random
from typing import Final

from relay.core.providers import OTHER, STALE_S, MxFinding, MxKind, ProviderTable

UNKNOWN_S: Final = 60.0
"""How long a domain that could not be asked about is left in peace."""

JITTER: Final = 0.1
"""The share of its TTL by which an answer may be refreshed early, so that not all are at once."""


@dataclass(slots=True)
class Known:
    """One answer. `provider` is what it means by `table`, which may have been edited since."""

    finding: MxFinding
    fresh_until: float
    good_until: float
    table: ProviderTable | None = None
    provider: str = OTHER

    def provider_in(self, table: ProviderTable) -> str:
        """The provider by `table`; worked out once a table."""
        if self.table is not table:
            self.provider = table.by_mx(self.finding.hosts) or OTHER
            self.table = table
        return self.provider


class Recent:
    """At most `most` answers."""

    def __init__(self, most: int, monotonic: Callable[[], float]) -> None:
        self._most = most
        self._monotonic = monotonic
        self._known: OrderedDict[str, Known] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def get(self, domain: str) -> Known | None:
        """What is known of `domain`, fresh or stale. Used is what stays longest."""
        known = self._known.get(domain)
        if known is None:
            return None
        if self._monotonic() > known.good_until:
            del self._known[domain]
            return None
        self._known.move_to_end(domain)
        return known

    def is_fresh(self, known: Known) -> bool:
        """Whether `known` need not be asked for again."""
        return self._monotonic() < known.fresh_until

    def learn(self, domain: str, finding: MxFinding) -> Known:
        """Take an answer in; one that is UNKNOWN only makes an older one last."""
        now = self._monotonic()
        older = self._known.get(domain)
        if finding.is_known:
            known = _from(finding, now)
        elif older is not None and older.finding.is_known and now < older.good_until:
            known, known.fresh_until = older, now + UNKNOWN_S
        else:
            known = Known(finding, now + UNKNOWN_S, now + UNKNOWN_S)
        self._known[domain] = known
        self._known.move_to_end(domain)
        while len(self._known) > self._most:
            self._known.popitem(last=False)
        return known


def _from(finding: MxFinding, now: float) -> Known:
    early = 1.0 - JITTER * random()  # noqa: S311 - spreads load, guards nothing  # nosec B311
    expires = now + finding.ttl_s
    # Only a host can be missed: that a domain has none is no news worth keeping.
    kept = STALE_S if finding.kind is MxKind.MX else 0.0
    return Known(finding, now + finding.ttl_s * early, expires + kept)
