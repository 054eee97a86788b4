"""What one of several workers has from its supervisor: the config as it holds for one of them.

Limits that the config states for the relay are divided, so that together the workers keep to
them. Knows no room: only the config, its files, and paths.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from relay.core.config import Config, SmtpUpstream, UpstreamConfig
from relay.settings.apart.handing import Handed


@dataclass(frozen=True, slots=True)
class Seat:
    """Worker `number` (from 1) of `count`.

    `store_url`: the supervisor's embedded store, None for the store of the config. `ops` is
    the unix socket on which it answers its supervisor, `metrics` the directory for its counts.
    """

    number: int
    count: int
    store_url: str | None
    ops: Path
    metrics: Path

    def config(self, whole: Config) -> Config:
        """`whole` as it holds for this worker: the same listeners, a share of the limits."""
        limits = whole.limits
        return replace(
            whole,
            store=replace(whole.store, url=self.store_url) if self.store_url else whole.store,
            web=None,
            limits=replace(
                limits,
                memory_bytes=self._share(limits.memory_bytes),
                connections=self._share(limits.connections),
                connections_per_address=self._share(limits.connections_per_address),
            ),
        )

    def upstream(self, whole: UpstreamConfig) -> UpstreamConfig:
        """`whole` with this worker's share of the connections to it."""
        if isinstance(whole, SmtpUpstream):
            return replace(whole, connections=self._share(whole.connections))
        return whole

    def _share(self, count: int) -> int:
        """Rounded up: a limit of 1 is 1 for each."""
        return -(-count // self.count)


@dataclass(frozen=True, slots=True)
class Order:
    """What a worker reads before all else: the config in force, its seat, the clock's file.

    `supervisor`: the process id of who gives it. `config`: as `apart.handing` has it.
    """

    supervisor: int
    config: Handed
    seat: Seat
    clock: Path | None
