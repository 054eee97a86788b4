"""The web process, as `serve` keeps it: the socket it answers on, its order, its life.

The socket stays open here: while the process is started again, requests wait instead of being
refused; where it does not come up, or hangs, or all ends, `understudy.py` answers. Mail by SMTP
does not need it, so that is told and not fatal. What it does is `process.py`.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from relay.clock import AnyClock, FileClock
from relay.core.config import WebConfig
from relay.processes.child import ChildSpec
from relay.processes.household import Household
from relay.processes.itself import command, importing_this_package
from relay.processes.quarters import Quarters
from relay.settings.apart.handing import Handed, handed
from relay.settings.live import LiveSettings
from relay.telemetry.shared import forget_gauges
from relay.web.ops import Vitals
from relay.web.server import bound_to
from relay.web_process.understudy import Understudy

log = structlog.get_logger("relay")

NAME: Final = "web"
NUMBER: Final = 0
"""Under which it counts, and the relay answers it; workers begin at 1."""

COMES_UP_S: Final = 10.0
"""How long the start waits for it; it may come up later."""

POLL_S: Final = 0.05

LAST_STEPS_S: Final = 5.0
"""What it may need beyond its two drains, each bounded by `limits.shutdown`."""


@dataclass(frozen=True, slots=True)
class FrontOrder:
    """What the web process reads before all else.

    `parent` is the process id of who gives it, `ops` the socket on which the relay answers
    /metrics and the like, `metrics` the directory for its counts, `beat` the file that it touches
    while it lives, `config` as `settings.apart.handing` hands it over.
    """

    parent: int
    config: Handed
    clock: Path | None
    ops: Path
    metrics: Path
    beat: Path


class Front:
    """Made once the store is open. Raises OSError where the address cannot be had."""

    def __init__(
        self,
        settings: LiveSettings,
        clock: AnyClock,
        at: WebConfig,
        quarters: Quarters,
        vitals: Vitals,
    ) -> None:
        self._settings = settings
        self._clock = clock.path.resolve() if isinstance(clock, FileClock) else None
        self._quarters = quarters
        self._socket: socket.socket = bound_to(at)
        self._socket.listen()
        fd = self._socket.fileno()
        spec = ChildSpec(
            NAME,
            command("front", str(fd)),
            self._order,
            lambda _name: forget_gauges(quarters.metrics, NUMBER),
            importing_this_package(),
            (fd,),
        )
        self._household = Household([spec], lambda _name: None)
        self._understudy = Understudy(self._socket, quarters.beat, vitals)
        self._is_ending = asyncio.Event()

    @property
    def port(self) -> int:
        """The port of its address (the real one, where the config says 0)."""
        port: int = self._socket.getsockname()[1]
        return port

    @property
    def pids(self) -> dict[str, int]:
        """Name and process id, while it runs."""
        return {child.name: child.pid for child in self._household}

    async def keep(self) -> None:
        """Start it, and again whenever it ends, until `end`. Run it in a TaskGroup."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._household.keep())
            group.create_task(self._understudy.keep(self._is_ending))

    async def come_up(self, stop: asyncio.Event) -> None:
        """Wait until it answers, `stop` is set, or COMES_UP_S is over; say if it is not up."""
        for _ in range(int(COMES_UP_S / POLL_S)):
            if self.pids or stop.is_set():
                return
            await asyncio.sleep(POLL_S)
        log.warning("the web process is not up yet; mail is taken without it")

    def reload(self) -> None:
        """Have it look at the config again."""
        self._household.send(signal.SIGHUP)

    async def end(self) -> None:
        """Let it finish what it has under way, within a bounded time; before the store closes.

        From now on until `close` the understudy tells whoever asks that the relay is stopping.
        """
        self._understudy.take_over()
        await self._household.end(2 * self._settings.config.limits.shutdown_s + LAST_STEPS_S)

    def close(self) -> None:
        """Give the address back, after `end`."""
        self._is_ending.set()
        self._socket.close()

    async def _order(self) -> bytes:
        ops, metrics = self._quarters.ops(NUMBER), self._quarters.metrics
        config = await handed(self._settings.base, self._settings.seen)
        order = FrontOrder(os.getpid(), config, self._clock, ops, metrics, self._quarters.beat)
        return pickle.dumps(order)
