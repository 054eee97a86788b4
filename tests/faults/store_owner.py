"""A process that owns an embedded store, as a relay does: `python -m tests.faults.store_owner DIR`.

Says the pid of its server, then reserves without end and says each charge that was
acknowledged, one number a line, flushed.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from relay.core.config import StoreConfig
from relay.core.errors import StoreTrouble
from relay.core.tenants.tenancy import Route, RouteId
from relay.store import open_store
from tests.contract.world import HandClock, World, policy

ROUTE = Route(RouteId("owned.acme.example", "outbound"), policy((0, None)))


async def main(data_dir: Path) -> None:
    store = await open_store(StoreConfig(), data_dir, HandClock())
    world = World(store, HandClock(), ROUTE)
    print("server", store._embedded.pid, flush=True)
    acknowledged = 0
    for _ in range(1_000_000):
        try:
            await world.granted(1)
        except StoreTrouble:
            await asyncio.sleep(0.01)
            continue
        acknowledged += 1
        print(acknowledged, flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
