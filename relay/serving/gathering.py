"""What a relay of several workers tells of itself: one page, and one answer on readiness.

Counts come from files that the workers share (`telemetry/shared.py`), quota from the store,
read once. Only readiness is asked of the workers, each within a deadline.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

from relay.clock import AnyClock
from relay.ports import QuotaStore, Settings
from relay.telemetry.shared import SharedMetrics
from relay.vitals import page, route_readings
from relay.web.asking import NoAnswer, asked
from relay.web.ops import Readiness

ASK_S: Final = 8.0
"""Longer than a worker may take to ask its store and upstreams."""
MORE_S: Final = 1.0
"""How much longer the others have once one is ready: who probes does not wait for long."""


class GatheredVitals:
    """Implements `web.ops.Vitals` for a supervisor. `sockets`: where each worker answers."""

    def __init__(
        self,
        metrics: SharedMetrics,
        settings: Settings,
        store: QuotaStore,
        ping: Callable[[], Awaitable[bool]],
        clock: AnyClock,
        sockets: Mapping[str, Path],
    ) -> None:
        self._metrics = metrics
        self._settings = settings
        self._store = store
        self._ping = ping
        self._clock = clock
        self._sockets = sockets

    async def metrics(self) -> bytes:
        """See `web.ops.Vitals`."""
        names = self._metrics.named
        readings = await route_readings(self._settings, self._store, self._clock, names)
        self._metrics.store_up.set(await self._ping())
        return await page(self._metrics, readings)

    async def readiness(self) -> Readiness:
        """See `web.ops.Vitals`: one worker that is ready will do, for it gets all connections.

        A part that some worker finds wrong is told as wrong, whoever is ready.
        """
        bounds: set[asyncio.Timeout] = set()
        asking = (_readiness(path, bounds) for path in self._sockets.values())
        told = await asyncio.gather(*asking)
        checks: dict[str, str] = {}
        for name, answer in zip(self._sockets, told, strict=True):
            status = str(answer.get("status", "no answer"))
            checks[name] = "ok" if status == "ready" else status
        for part, found in [item for answer in told for item in answer.get("checks", {}).items()]:
            if checks.get(part, "ok") == "ok":
                checks[part] = found
        is_ready = any(answer.get("status") == "ready" for answer in told)
        return Readiness(is_ready, checks, self._clock.simulated)


async def _readiness(path: Path, bounds: set[asyncio.Timeout]) -> dict[str, Any]:
    """What the worker at `path` says, or nothing. `bounds`: of all that are still being asked."""
    try:
        async with asyncio.timeout(ASK_S) as bound:
            bounds.add(bound)
            try:
                told = json.loads((await asked(f"unix:{path}", "/readyz", ASK_S)).body)
            finally:
                bounds.discard(bound)
    except (NoAnswer, ValueError, TimeoutError):
        return {}
    if not isinstance(told, dict):
        return {}
    if told.get("status") == "ready":
        _hurry(bounds)
    return told


def _hurry(bounds: set[asyncio.Timeout]) -> None:
    at_s = asyncio.get_running_loop().time() + MORE_S
    for bound in bounds:
        if (was_s := bound.when()) is not None and was_s > at_s:
            bound.reschedule(at_s)
