"""What the relay tells of itself over HTTP: the numbers of a scrape, and whether it is ready."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Final

from relay.clock import AnyClock
from relay.concurrency.beside import short_turns
from relay.concurrency.waiting import set_within
from relay.core.errors import StoreTrouble
from relay.ports import QuotaStore, Settings
from relay.telemetry.domains import routes_told
from relay.telemetry.metrics import Metrics, RouteReading
from relay.telemetry.shared import SharedMetrics, text_of
from relay.upstream.in_force import Upstreams
from relay.web.ops import Readiness

PROBE_EVERY_S: Final = 5.0
"""How long a probe of the upstreams is good for, when they all answered."""

RETRY_EVERY_S: Final = 0.5
"""The same when one did not."""

NOTE_EVERY_S: Final = 0.5


INLINE_ROUTES: Final = 20
"""A page of more routes is put together in a thread, so that no message waits for it."""


async def route_readings(
    settings: Settings, store: QuotaStore, clock: AnyClock, names: Callable[[], Iterable[str]]
) -> list[RouteReading]:
    """How each route that has gauges stands now; none where the store does not answer.

    `names`: the domains that the counters name, see `telemetry/domains.py`.
    """
    now = clock.now()
    routes = routes_told(settings.directory, names)
    wanted = [(route, route.policy.window.at(now)) for route in routes]
    try:
        standings = await store.standings(wanted)
    except StoreTrouble:
        return []
    return [
        RouteReading(route, window, standing)
        for (route, window), standing in zip(wanted, standings, strict=True)
    ]


async def page(
    metrics: Metrics | SharedMetrics, readings: list[RouteReading], beside: Path | None = None
) -> bytes:
    """The exposition with `readings`, and what other processes count in the directory `beside`."""
    metrics.quota.readings = readings
    if len(readings) <= INLINE_ROUTES:
        return _text(metrics, beside)
    return await asyncio.to_thread(_in_turns, metrics, beside)


def _in_turns(metrics: Metrics | SharedMetrics, beside: Path | None) -> bytes:
    with short_turns():
        return _text(metrics, beside)


def _text(metrics: Metrics | SharedMetrics, beside: Path | None) -> bytes:
    return text_of(metrics.registry, beside) if beside else metrics.text()


async def counts(
    metrics: Metrics,
    settings: Settings,
    ping: Callable[[], Awaitable[bool]],
    reload_failed: Callable[[], bool],
) -> bytes:
    """The exposition of a process beside relays: what it counts, without the quota gauges."""
    metrics.store_up.set(await ping())
    _note(metrics, settings, failed=reload_failed())
    return metrics.text()


def _note(metrics: Metrics, settings: Settings, *, failed: bool) -> None:
    metrics.policy_reload_failed.set(failed)
    metrics.tasks.set(len(asyncio.all_tasks()))
    metrics.domains.set(len(settings.directory.domains))


class Vitals:
    """Implements `web.ops.Vitals`."""

    def __init__(
        self,
        metrics: Metrics,
        settings: Settings,
        store: QuotaStore,
        ping: Callable[[], Awaitable[bool]],
        upstreams: Upstreams,
        clock: AnyClock,
        reload_failed: Callable[[], bool],
    ) -> None:
        self._metrics = metrics
        self._settings = settings
        self._store = store
        self._ping = ping
        self._upstreams = upstreams
        self._clock = clock
        self._reload_failed = reload_failed
        self._counts: Path | None = None
        self._is_stopping = False
        self._probed: dict[str, str | None] = {}
        self._probed_at = float("-inf")
        self._probing = asyncio.Lock()

    async def metrics(self) -> bytes:
        """See `web.ops.Vitals`."""
        names = self._metrics.named.names
        readings = await route_readings(self._settings, self._store, self._clock, names)
        self._metrics.store_up.set(await self._ping())
        self.note()
        return await page(self._metrics, readings, self._counts)

    def count_beside(self, directory: Path) -> None:
        """From now on `metrics` adds what the web process counts in `directory`."""
        self._counts = directory

    def say_stopping(self) -> None:
        """From now on no new connection is taken: `readiness` says so."""
        self._is_stopping = True

    def note(self) -> None:
        """Bring the metrics up to date that nobody tells of when they change."""
        _note(self._metrics, self._settings, failed=self._reload_failed())

    async def keep_noting(self, stop: asyncio.Event) -> None:
        """Note again and again, for a page that others put together, until `stop` is set."""
        while not stop.is_set():
            self.note()
            await set_within(stop, NOTE_EVERY_S)

    async def readiness(self) -> Readiness:
        """See `web.ops.Vitals`: a charge would be taken, an upstream answers, no end has begun."""
        store = await self._ping()
        upstreams = await self._probe()
        checks = {"store": "ok" if store else "no answer, or it takes no writes"}
        checks |= {f"upstream {name}": wrong or "ok" for name, wrong in upstreams.items()}
        ready = store and any(wrong is None for wrong in upstreams.values())
        if self._is_stopping:
            ready, checks = False, {**checks, "relay": "stopping"}
        return Readiness(ready, checks, self._clock.simulated)

    async def _probe(self) -> dict[str, str | None]:
        async with self._probing:
            good_for_s = RETRY_EVERY_S if any(self._probed.values()) else PROBE_EVERY_S
            stale = time.monotonic() - self._probed_at > good_for_s
            if stale or self._probed.keys() != self._upstreams.keys():
                self._probed = await self._upstreams.probe()
                self._probed_at = time.monotonic()
        return self._probed
