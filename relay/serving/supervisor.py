"""`serve` with several workers: what belongs to the relay as a whole, and no mail.

The supervisor owns the embedded store, the ports (without listening on them), the web address
and the children; the workers do all else (`lifecycle.serve_seat`). A worker starts with the
config that is in force here, not with the file, which may have been spoilt since (rule 6).
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import ExitStack
from typing import Final

import structlog

from relay.clock import AnyClock
from relay.concurrency.background import Background
from relay.domains.following import Following
from relay.edge.reserved import ReservedPorts
from relay.lifecycle import CannotServe, announced_as_serving, look_at_store, prepare
from relay.processes.child import ChildFailed
from relay.processes.household import Household
from relay.processes.loop import handle_signals
from relay.processes.quarters import Quarters
from relay.serving.gathering import GatheredVitals
from relay.serving.staffing import seats, worker
from relay.settings.live import LiveSettings
from relay.store import StoreUnusable, open_store
from relay.store.redis_store import RedisStore
from relay.store.shelves.domains import RedisDomainShelf
from relay.telemetry.shared import SharedMetrics
from relay.web.server import WebServer
from relay.web_process.front import NUMBER as FRONT
from relay.web_process.front import Front

log = structlog.get_logger("relay")

LAST_STEPS_S: Final = 5.0
"""What a worker may need beyond its two drains, each bounded by `limits.shutdown`."""


async def supervise(settings: LiveSettings, clock: AnyClock, workers: int) -> None:
    """Serve with `workers` processes until SIGTERM or SIGINT. Raises CannotServe.

    Call it in the main thread: store and workers die with the thread that started them.
    """
    if sys.platform != "linux":
        raise CannotServe("several workers need Linux; serve with one (workers: 1)")
    config = settings.config
    with ExitStack() as stack:
        try:
            prepare(config)
            ports = ReservedPorts(config.listeners)
            stack.callback(ports.close)
            store = await open_store(config.store, config.data_dir, clock)
        except (StoreUnusable, OSError) as error:
            raise CannotServe(str(error)) from error
        try:
            # Only now: the embedded store has shown that nobody else uses the directory.
            quarters = Quarters(config.data_dir)
            stack.callback(quarters.close)
            await _Supervisor(settings, clock, store, ports, quarters, workers).serve()
        except* (CannotServe, ChildFailed, OSError) as group:
            raise CannotServe(str(group.exceptions[0])) from None
        finally:
            await store.close()
            log.info("stopped")


class _Supervisor:
    def __init__(
        self,
        settings: LiveSettings,
        clock: AnyClock,
        store: RedisStore,
        ports: ReservedPorts,
        quarters: Quarters,
        workers: int,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._store = store
        self._ports = ports
        self._following = Following(settings, RedisDomainShelf(store.line))
        self._background = Background()
        self._metrics = SharedMetrics(quarters.metrics, workers, self._processes)
        staff = seats(quarters, workers, store.embedded_url)
        self._children = Household(
            [worker(name, seat, settings, ports.listeners, clock) for name, seat in staff.items()],
            lambda _name: self._metrics.restarts.inc(),
        )
        sockets = {name: seat.ops for name, seat in staff.items()}
        vitals = GatheredVitals(self._metrics, settings, store, store.ping, clock, sockets)
        web = settings.config.web
        self._front = Front(settings, clock, web, quarters, vitals) if web and web.api else None
        at = quarters.ops(FRONT) if self._front else web
        self._web = WebServer(at, vitals) if at else None

    def _processes(self) -> dict[str, int]:
        workers = {child.name: child.pid for child in self._children}
        return {"supervisor": os.getpid()} | workers | (self._front.pids if self._front else {})

    async def serve(self) -> None:
        """Start all, and stop it in order when asked to."""
        stop, drained = asyncio.Event(), asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._store.run(drained))
            try:
                handle_signals(stop, self._reload)
                if self._web:
                    self._web.bind()
                await self._children.start()
                await self._stand_by(stop, group)
            finally:
                drained.set()

    async def _stand_by(self, stop: asyncio.Event, group: asyncio.TaskGroup) -> None:
        group.create_task(self._children.keep())
        group.create_task(self._settings.watch(stop))
        group.create_task(self._following.follow(stop))
        if self._web:
            group.create_task(self._web.serve())
        if self._front:
            group.create_task(self._front.keep())
            await self._front.come_up(stop)
        addresses = [(listener.host, listener.port) for listener in self._ports.listeners]
        answers = self._front or self._web
        port = answers.port if answers else None
        config = self._settings.config
        with announced_as_serving(config, self._clock, addresses, port):
            look_at_store(config, self._store.line, self._background, stop)
            await stop.wait()
            await self._stop()

    def _reload(self) -> None:
        log.info("reload asked for by SIGHUP")
        self._background.start(self._settings.refresh())
        self._children.send(signal.SIGHUP)
        if self._front:
            self._front.reload()

    async def _stop(self) -> None:
        shutdown_s = self._settings.config.limits.shutdown_s
        log.info("stopping")
        ends = [self._children.end(2 * shutdown_s + LAST_STEPS_S)]
        await asyncio.gather(*ends, *([self._front.end()] if self._front else []))
        await self._background.drain(shutdown_s)
        if self._front:
            self._front.close()
        if self._web:
            await self._web.stop(1.0)
