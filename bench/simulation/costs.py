"""What one message takes of each part, and how the parts are laid out."""

from __future__ import annotations

from dataclasses import dataclass

DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Costs:
    """CPU in µs, waits in ms. As measured on 2026-11-24 on two cores that were busy.

    `message`, `connection` and `deferral` are of a worker's core (`bench.workers`,
    `bench.deferrals`), `look` too: asking at RCPT where a route stands. The others are of the
    store's (`bench.store`, `bench.deferrals`).
    """

    message: float = 740
    connection: float = 290
    look: float = 120
    deferral: float = 180
    reserve: float = 50
    settle: float = 35
    heard: float = 20
    standing: float = 50
    hop_ms: float = 0.2
    upstream_ms: float = 100

    @property
    def stored(self) -> float:
        """What a message takes of its shard, where nobody looks at RCPT."""
        return self.reserve + self.settle + self.heard


@dataclass(frozen=True, slots=True)
class Layout:
    """Groups of relay nodes, each with a config of its own, over one cluster of `shards`."""

    groups: int = 10
    nodes: int = 2
    cores: int = 4
    shards: int = 12

    @property
    def workers(self) -> int:
        """Of one group."""
        return self.nodes * self.cores


@dataclass(frozen=True, slots=True)
class Load:
    """What comes. `skew` is Zipf's exponent; `peak` how many times the average the peak is.

    `backoff_s` is how long a client waits from one attempt to the next (Postfix's
    `maximal_backoff_time`).
    """

    messages_a_day: float = 1e9
    domains: int = 1_000_000
    skew: float = 1.0
    peak: float = 3.0
    messages_a_connection: float = 5
    backoff_s: float = 4000

    @property
    def average_a_s(self) -> float:
        """Messages a second, over the day."""
        return self.messages_a_day / DAY_S

    @property
    def peak_a_s(self) -> float:
        """Messages a second when it is busiest."""
        return self.average_a_s * self.peak
