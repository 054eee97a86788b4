"""What a route costs in the store: `python -m bench.routes [N]`, of N routes (100,000).

Written by the scripts themselves, a reservation and its settlement for each.
"""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from relay.clock import SystemClock
from relay.core.config import StoreConfig
from relay.core.quota import Demand, Granted, Verdict
from relay.core.tenancy import Route, RouteId
from relay.settings.load import load_policy
from relay.store.commands import Command
from relay.store.opening import open_store


async def measure(count: int) -> None:
    """One send for each route; then without the window and slices, which expire by themselves."""
    policy, now = load_policy("calendar-14-day"), datetime.now(UTC)
    window = policy.window.at(now)
    with tempfile.TemporaryDirectory(prefix="relay-bench-") as folder:
        opened = await open_store(StoreConfig(), Path(folder), SystemClock())

        async def used() -> int:
            told = await opened.line.ask(Command("info", ("INFO", "memory"), str))
            found = re.search(r"used_memory:(\d+)", told)
            assert found
            return int(found[1])

        async def one(number: int) -> None:
            route = Route(RouteId(f"d{number:07d}.example", "outbound"), policy)
            taken = await opened.reserve(Demand(route, window, 1, now, f"r{number}", "i.1", None))
            assert isinstance(taken, Granted)
            await opened.settle(taken.reservation, Verdict.SENT, now)

        async def expire(numbers: range) -> None:
            tags = [f"wr1:{{d{number:07d}.example}}" for number in numbers]
            gone = [f"{tag}:{kind}" for tag in tags
                    for kind in ("slices:outbound", f"window:outbound:{window.label}")]  # fmt: skip
            await opened.line.ask(Command("del", ("DEL", *gone), int))

        try:
            before = await used()
            for at in range(0, count, 200):
                await asyncio.gather(*(one(n) for n in range(at, min(count, at + 200))))
            print(
                f"{count} routes, a send each: {(await used() - before) / count:.0f} bytes a route"
            )
            for at in range(0, count, 200):
                await expire(range(at, min(count, at + 200)))
            print(
                f"when their windows are over: {(await used() - before) / count:.0f} bytes a route"
            )
        finally:
            await opened.close()


if __name__ == "__main__":
    asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000))
