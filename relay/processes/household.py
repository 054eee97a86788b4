"""All children: they come up together, are started again when they die, and end together.

One that hangs is as good as dead, but that it keeps its share of what comes: it is killed.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Final

import structlog

from relay.processes.child import Child, ChildFailed, ChildSpec

log = structlog.get_logger("relay")

FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 5.0
STEADY_S: Final = 10.0
"""How long a child has to run for its next death to count as the first."""

LOOK_S: Final = 10.0
"""How long after one look at a child the next one is."""

HANGS_AFTER: Final = 3
"""Looks in a row at which it did not answer. One may meet a machine that was stopped."""

FAREWELL_S: Final = 2.0
"""For those that came up while another did not: nobody uses them yet."""


class Household:
    """`restarted` is told the name of a child whenever it is started again."""

    def __init__(self, specs: Sequence[ChildSpec], restarted: Callable[[str], None]) -> None:
        self._specs = specs
        self._restarted = restarted
        self._children: dict[str, Child] = {}
        self._is_ending = asyncio.Event()
        self._is_unkept = asyncio.Event()
        self._is_unkept.set()

    def __iter__(self) -> Iterator[Child]:
        """Those that serve."""
        return iter([child for child in self._children.values() if child.is_running])

    async def start(self) -> None:
        """Start all, and wait until each serves. Raises ChildFailed, and then none runs."""
        outcomes = await asyncio.gather(
            *(self._begin(spec) for spec in self._specs), return_exceptions=True
        )
        for failed in (outcome for outcome in outcomes if outcome is not None):
            await self.end(FAREWELL_S)
            raise failed

    async def _begin(self, spec: ChildSpec) -> None:
        self._children[spec.name] = await Child.start(spec)

    async def keep(self) -> None:
        """Start again what dies, until `end` is called. Run it in a TaskGroup, after `start`.

        Without `start`, each is started here, and tried again where it does not come up.
        """
        self._is_unkept.clear()
        try:
            async with asyncio.TaskGroup() as group:
                keeping = [group.create_task(self._keep(spec)) for spec in self._specs]
                await self._is_ending.wait()
                for task in keeping:
                    task.cancel()
        finally:
            self._is_unkept.set()

    async def _keep(self, spec: ChildSpec) -> None:
        loop, pause_s = asyncio.get_running_loop(), FIRST_PAUSE_S
        if spec.name not in self._children:
            pause_s = await self._bring_up(spec, pause_s)
        while True:
            since = loop.time()
            status = await _ended(self._children[spec.name], spec)
            spec.buried(spec.name)
            log.error("a process ended; it is started again", process=spec.name, status=status)
            pause_s = FIRST_PAUSE_S if loop.time() - since > STEADY_S else pause_s
            pause_s = await self._bring_back(spec, pause_s)

    async def _bring_back(self, spec: ChildSpec, pause_s: float) -> float:
        """Try again until it serves; how long to wait should it die again soon."""
        await asyncio.sleep(pause_s)
        self._restarted(spec.name)
        return await self._bring_up(spec, min(pause_s * 2, LONGEST_PAUSE_S))

    async def _bring_up(self, spec: ChildSpec, pause_s: float) -> float:
        while True:
            try:
                await self._begin(spec)
            except ChildFailed as error:
                log.error("a process does not come up", process=spec.name, why=str(error))  # noqa: TRY400
                spec.buried(spec.name)
            else:
                return pause_s
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
            self._restarted(spec.name)

    def send(self, number: signal.Signals) -> None:
        """Send every child that serves a signal."""
        for child in self:
            child.send(number)

    async def end(self, deadline_s: float) -> None:
        """SIGTERM to all; those that are still there after `deadline_s` are killed."""
        self._is_ending.set()
        await self._is_unkept.wait()
        self.send(signal.SIGTERM)
        with suppress(TimeoutError):
            async with asyncio.timeout(deadline_s):
                await asyncio.gather(*(child.ended() for child in self))
        for child in self:
            log.error("a process did not end in time and is killed", process=child.name)
            await child.kill()


async def _ended(child: Child, spec: ChildSpec) -> int:
    """Wait for its end, which is near once it hangs; the status."""
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(_end_if_it_hangs(child, spec))
        status = await child.ended()
        watching.cancel()
    return status


async def _end_if_it_hangs(child: Child, spec: ChildSpec) -> None:
    silent = 0
    while spec.answers and silent < HANGS_AFTER:
        await asyncio.sleep(LOOK_S)
        silent = 0 if await spec.answers() else silent + 1
    if silent:
        log.error("a process hangs and is killed", process=child.name)
        child.send(signal.SIGKILL)
