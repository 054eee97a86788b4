"""Where the mail of each domain goes: its shard by the hash of its keys, its group by hand.

The keys of a domain share a hash tag, so a domain is on one shard. Of the groups somebody who
knows the largest senders makes ten of equal load; the many small ones are dealt out in turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot

from bench.simulation.costs import Costs, Layout, Load
from relay.core.tenants.tenancy import RouteId
from relay.store import keys

BY_HAND = 10_000
"""So many of the largest domains are given to the group that has least."""


@dataclass(frozen=True, slots=True)
class Placement:
    """By domain, the largest first: its share of all mail, the sum so far, shard and group."""

    shares: Sequence[float]
    sums: Sequence[float]
    shards: Sequence[int]
    groups: Sequence[int]

    def of_shards(self, layout: Layout) -> list[float]:
        """Each shard's share of all mail."""
        return _totals(self.shares, self.shards, layout.shards)

    def of_groups(self, layout: Layout) -> list[float]:
        """Each group's."""
        return _totals(self.shares, self.groups, layout.groups)


def placed(load: Load, layout: Layout) -> Placement:
    """All domains of `load`."""
    weights = [1 / rank**load.skew for rank in range(1, load.domains + 1)]
    whole = sum(weights)
    shares = [weight / whole for weight in weights]
    shards = [shard_of(f"d{at}.example", layout.shards) for at in range(load.domains)]
    return Placement(shares, list(accumulate(shares)), shards, _dealt(shares, layout.groups))


def shard_of(domain: str, shards: int) -> int:
    """Which of so many masters, with equal parts of the slots, has the keys of `domain`."""
    slot = key_slot(keys.route(RouteId(domain, "outbound")).encode())
    return slot * shards // REDIS_CLUSTER_HASH_SLOTS


def _dealt(shares: Sequence[float], groups: int) -> list[int]:
    held, dealt = [0.0] * groups, list[int]()
    for share in shares[:BY_HAND]:
        least = min(range(groups), key=held.__getitem__)
        held[least] += share
        dealt.append(least)
    return dealt + [at % groups for at in range(len(dealt), len(shares))]


def _totals(shares: Sequence[float], where: Sequence[int], count: int) -> list[float]:
    totals = [0.0] * count
    for share, at in zip(shares, where, strict=True):
        totals[at] += share
    return totals


@dataclass(frozen=True, slots=True)
class Limit:
    """A part, how much of it the peak takes (1.0: all), and how many messages a second fill it."""

    part: str
    used: float
    full_at_a_s: float


def limits(placement: Placement, load: Load, layout: Layout, costs: Costs) -> list[Limit]:
    """What fills up, the first of them first. Without the looks at RCPT, which `peak.py` adds."""
    store_s = costs.stored / 1e6
    worker_s = (costs.message + costs.connection / load.messages_a_connection) / 1e6
    each = {
        "the busiest shard": max(placement.of_shards(layout)) * store_s,
        "the average shard": store_s / layout.shards,
        "the busiest group's cores": max(placement.of_groups(layout)) * worker_s / layout.workers,
        "the average group's cores": worker_s / layout.groups / layout.workers,
        "the largest domain, a shard of its own": placement.shares[0] * store_s,
    }
    found = [Limit(part, load.peak_a_s * takes_s, 1 / takes_s) for part, takes_s in each.items()]
    return sorted(found, key=lambda limit: limit.full_at_a_s)
