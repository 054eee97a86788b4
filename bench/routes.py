"""What a route costs in the store: `python -m bench.routes [N] [DIR]`, of N routes (100,000).

Written by the scripts themselves, a reservation and its settlement for each: the memory of a
route, how long the server takes to load them, and what a message costs beside an empty store.
With DIR the store is kept there, and one that is there is measured without filling it again.
A million routes take about five minutes of two quiet cores, and 0.9 GB of memory and of disk.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from statistics import median

from bench.scale import cpu_s
from relay.clock import SystemClock
from relay.core.config import StoreConfig
from relay.core.policy.policy import Policy
from relay.core.policy.window import Window
from relay.core.quota.reservation import Demand, Granted, Verdict
from relay.core.tenants.tenancy import Route, RouteId
from relay.settings.load import load_policy
from relay.store.commands import Command
from relay.store.opening import open_store
from relay.store.redis_store import RedisStore

AT_ONCE, MESSAGES, ROUNDS = 200, 1000, 5
EMPTY_MB = 5


@asynccontextmanager
async def store_in(home: Path) -> AsyncIterator[RedisStore]:
    opened = await open_store(StoreConfig(), home, SystemClock())
    try:
        yield opened
    finally:
        await opened.close()


async def send(store: RedisStore, name: str, window: Window, policy: Policy) -> None:
    """One send of the route `name`: a reservation and its settlement."""
    route, now = Route(RouteId(name, "outbound"), policy), datetime.now(UTC)
    demand = Demand(route, window, 1, now, token_hex(8), "i.1", None)
    taken = await store.reserve(demand)
    assert isinstance(taken, Granted), taken
    await store.settle(taken.reservation, Verdict.SENT, now)


async def told(store: RedisStore, section: str, name: str) -> int:
    text = await store.line.ask(Command("info", ("INFO", section), str))
    found = re.search(rf"{name}:(\d+)", text)
    assert found
    return int(found[1])


async def used(store: RedisStore) -> int:
    return await told(store, "memory", "used_memory")


async def fill(store: RedisStore, count: int, window: Window, policy: Policy) -> None:
    """One send for each route; then without the window and slices, which expire by themselves."""
    before = await used(store)
    for at in range(0, count, AT_ONCE):
        numbers = range(at, min(count, at + AT_ONCE))
        await asyncio.gather(*(send(store, name_of(n), window, policy) for n in numbers))
    each = (await used(store) - before) / count
    print(f"{count} routes, a send each: {each:.0f} bytes a route", flush=True)
    for at in range(0, count, AT_ONCE):
        tags = [f"wr1:{{{name_of(n)}}}" for n in range(at, min(count, at + AT_ONCE))]
        kinds = ("slices:outbound", f"window:outbound:{window.label}")
        gone = [f"{tag}:{kind}" for tag in tags for kind in kinds]
        await store.line.ask(Command("del", ("DEL", *gone), int))
    each = (await used(store) - before) / count
    print(f"when their windows are over: {each:.0f} bytes a route", flush=True)


def name_of(number: int) -> str:
    return f"d{number:07d}.example"


async def cost(store: RedisStore, window: Window, policy: Policy, count: int) -> tuple[float, ...]:
    """Microseconds of CPU for a send, of the server and of this process."""
    server = await told(store, "server", "process_id")
    before = cpu_s(server), time.process_time()
    for number in range(MESSAGES):
        await send(store, name_of(number * 37 % count), window, policy)
    after = cpu_s(server), time.process_time()
    return tuple((b - a) / MESSAGES * 1e6 for a, b in zip(before, after, strict=True))


async def beside_an_empty_one(full: RedisStore, count: int, window: Window, policy: Policy) -> None:
    found: dict[str, list[tuple[float, ...]]] = {"full": [], "empty": []}
    with tempfile.TemporaryDirectory(prefix="relay-bench-") as folder:
        async with store_in(Path(folder)) as empty:
            for _ in range(ROUNDS + 1):
                for name, store in (("full", full), ("empty", empty)):
                    found[name].append(await cost(store, window, policy, count))
    for name, rounds in found.items():
        server, ours = (median(each) for each in zip(*rounds[1:], strict=True))
        print(f"a send, store {name}: {server:.0f} µs of the server's CPU, {ours:.0f} of ours")


async def measure(count: int, home: Path) -> None:
    policy, began = load_policy("calendar-14-day"), time.perf_counter()
    window = policy.window.at(datetime.now(UTC))
    async with store_in(home) as store:
        held = await used(store) / 1e6
        print(f"open in {time.perf_counter() - began:.1f} s, {held:.0f} MB held", flush=True)
        if held < EMPTY_MB:
            await fill(store, count, window, policy)
        await beside_an_empty_one(store, count, window, policy)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.routes",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("routes", type=int, nargs="?", default=100_000)
    parser.add_argument("folder", nargs="?")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="relay-bench-") as folder:
        asyncio.run(measure(given.routes, Path(given.folder or folder)))


if __name__ == "__main__":
    main()
