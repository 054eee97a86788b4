"""One process that is kept running: started, ordered, heard, signalled, ended."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

START_S: Final = 60.0
"""How long a child may take to say that it serves."""


class ChildFailed(Exception):
    """The child does not come up; the text says why, for people."""


async def _no_order() -> bytes:
    return b""


def _nothing(_name: str) -> None:
    return None


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """A kind of process to keep. `name` is for people, `command` its argv.

    `order` is asked at every start for what the child reads first (`inside.py`). `buried` is
    called with the name whenever one has ended and been waited for, before the next starts.
    `environment` is laid over that of this process; `fds` stay open in the child. `answers` is
    asked now and then while it serves: False where it should have answered by now, and did not.
    """

    name: str
    command: tuple[str, ...]
    order: Callable[[], Awaitable[bytes]] = _no_order
    buried: Callable[[str], None] = _nothing
    environment: Mapping[str, str] = field(default_factory=dict)
    fds: tuple[int, ...] = ()
    answers: Callable[[], Awaitable[bool]] | None = None


class Child:
    """A child that serves, or has ended since."""

    def __init__(self, name: str, process: Process) -> None:
        self.name = name
        self._process = process

    @classmethod
    async def start(cls, spec: ChildSpec) -> Child:
        """Start it and wait until it serves. Raises ChildFailed, and then none runs.

        Call it in the main thread: the child dies with the thread that started it. It has a
        session of its own, so that a terminal's Ctrl-C reaches it through its parent only.
        """
        try:
            process = await asyncio.create_subprocess_exec(
                *spec.command,
                stdin=PIPE,
                stdout=PIPE,
                start_new_session=True,
                env={**os.environ, **spec.environment},
                pass_fds=spec.fds,
            )
        except OSError as error:
            raise ChildFailed(f"{spec.name} cannot be run: {error}") from error
        child = cls(spec.name, process)
        try:
            async with asyncio.timeout(START_S):
                await child._come_up(await spec.order())
        except BaseException as error:
            await child.kill()
            if isinstance(error, TimeoutError):
                raise ChildFailed(f"{spec.name} was not ready within {START_S:g} s") from error
            raise
        return child

    async def _come_up(self, order: bytes) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(OSError):  # it has ended already, which its answer tells
            self._process.stdin.write(order)
            await self._process.stdin.drain()
            self._process.stdin.close()
        line = await self._process.stdout.readline()
        told = json.loads(line) if line.endswith(b"\n") else {}
        if not told.get("ready"):
            why = told.get("failed") or f"{self.name} ended with status {await self.ended()}"
            raise ChildFailed(str(why))

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it has not been seen to end."""
        return self._process.returncode is None

    async def ended(self) -> int:
        """Wait for its end: its exit status, or minus the signal that ended it."""
        return await self._process.wait()

    def send(self, number: signal.Signals) -> None:
        """Send it a signal; nothing happens if it has ended."""
        if self.is_running:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def kill(self) -> None:
        """End it at once, and wait for that."""
        self.send(signal.SIGKILL)
        await self._process.wait()
