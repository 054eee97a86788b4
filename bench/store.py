"""What one embedded store does: reservations a second, and the time of each verb's script.

    python -m bench.store

One process, one connection, 32 conversations at a time, every reservation synced to the disk.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from bench.alone import ROOT, cpu_s
from relay.clock import SystemClock
from relay.core.config import StoreConfig
from relay.core.quota.reservation import Demand, Granted, Reservation, Verdict
from relay.core.tenants.tenancy import Route
from relay.settings.load import load_config
from relay.store.commands import Command
from relay.store.opening import open_store
from relay.store.redis_store import RedisStore

COUNT, AT_ONCE, EACH = 10_000, 32, 2000


def open_route() -> Route:
    """A route of the example config, without a cap."""
    config = load_config(ROOT / "relay.example.yaml", os.environ)
    route = next(iter(config.directory.domains.values())).routes[0]
    tiers = tuple(replace(tier, cap=None) for tier in route.policy.ramp.tiers)
    ramp = replace(route.policy.ramp, tiers=tiers)
    return replace(route, policy=replace(route.policy, ramp=ramp, providers={}))


async def reserved(store: RedisStore, route: Route, number: int) -> Reservation:
    now = datetime.now(UTC)
    window = route.policy.window.at(now)
    found = await store.reserve(
        Demand(route, window, 1, now, f"r{number}", "i.1", f"{number:064x}")
    )
    assert isinstance(found, Granted)
    return found.reservation


async def throughput(store: RedisStore, route: Route, server: int) -> None:
    async def some(first: int) -> None:
        for number in range(first, COUNT, AT_ONCE):
            await store.settle(await reserved(store, route, number), Verdict.UNKNOWN, now)

    now = datetime.now(UTC)
    began, before, own = time.perf_counter(), cpu_s(server), _own_s()
    await asyncio.gather(*(some(first) for first in range(AT_ONCE)))
    took = time.perf_counter() - began
    print(f"{COUNT / took:.0f} reservations a second, each with its settlement")
    theirs, mine = cpu_s(server) - before, _own_s() - own
    print(
        f"{theirs / COUNT * 1e6:.0f} µs of the server's CPU for both, {mine / COUNT * 1e6:.0f} ours"
    )


async def script_times(store: RedisStore, route: Route) -> None:
    now, held = datetime.now(UTC), []
    window = route.policy.window.at(now)
    await _timed(store, "reserve", [reserved(store, route, 10**6 + n) for n in range(EACH)])
    held = [await reserved(store, route, 10**7 + n) for n in range(EACH)]
    await _timed(store, "settle", [store.settle(one, Verdict.SENT, now) for one in held])
    await _timed(store, "heard", [store.heard(one) for one in held])
    await _timed(store, "standing", [store.standing(route, window) for _ in range(EACH)])


async def _timed(store: RedisStore, name: str, calls: list) -> None:  # type: ignore[type-arg]
    before = await _scripts(store)
    for call in calls:
        await call
    after = await _scripts(store)
    print(f"{name}: {(after[0] - before[0]) / (after[1] - before[1]):.0f} µs in the server")


async def _scripts(store: RedisStore) -> tuple[int, int]:
    """What all scripts have taken so far, in µs, and how many there were."""
    told = await store.line.ask(Command("ping", ("INFO", "commandstats"), str))
    line = next((one for one in told.splitlines() if one.startswith("cmdstat_evalsha:")), "")
    found = dict(pair.split("=") for pair in line.partition(":")[2].split(",") if pair)
    return int(found.get("usec", 0)), int(found.get("calls", 0))


def _own_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def main() -> None:
    with tempfile.TemporaryDirectory(prefix="relay-bench-") as folder:
        store = await open_store(StoreConfig(), Path(folder), SystemClock())
        try:
            told = await store.line.ask(Command("ping", ("INFO", "server"), str))
            server = next(x for x in told.splitlines() if x.startswith("process_id:"))
            route = open_route()
            await throughput(store, route, int(server.partition(":")[2]))
            await script_times(store, route)
        finally:
            await store.close()


if __name__ == "__main__":
    about = argparse.RawDescriptionHelpFormatter
    argparse.ArgumentParser(
        "python -m bench.store", description=__doc__, formatter_class=about
    ).parse_args()
    asyncio.run(main())
