"""Which relay processes live: each beats once a second in the store (ports.Instances).

A process is judged by whether its beat changes while one watches, never by clocks.
"""

from __future__ import annotations

import asyncio
import base64
import secrets
from contextlib import suppress
from typing import Final

from relay.concurrency.waiting import set_within
from relay.core.errors import StoreTrouble
from relay.store import keys
from relay.store.commands import Command
from relay.store.connections.line import Line

BEAT_S: Final = 1.0
EXPIRY_MS: Final = 10_000
RETRY_S: Final = 0.25
WATCH_S: Final = 2.5
"""Without a new beat for this long an instance is dead."""
POLL_S: Final = 0.2
DEAD_FOR_S: Final = 5.0
"""How long a finding of death is good for others who ask: a crash is asked about often."""


class RedisInstances:
    """`ports.Instances` over `line`. `run` must be running for others to see this process."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._own = base64.b32encode(secrets.token_bytes(10)).decode().lower()
        self._watching: dict[str, asyncio.Lock] = {}
        self._died: dict[str, float] = {}

    @property
    def own(self) -> str:
        """See `ports.Instances`. 16 letters and digits."""
        return self._own

    async def is_alive(self, instance: str) -> bool:
        """See `ports.Instances`."""
        if instance == self._own:
            return True
        # Those who ask about the same one wait for one answer each, but watch a death once.
        async with self._watching.setdefault(instance, asyncio.Lock()):
            now = asyncio.get_running_loop().time()
            if now - self._died.get(instance, float("-inf")) < DEAD_FOR_S:
                return False
            alive = await self._beats(instance)
            self._note(instance, alive=alive)
        return alive

    async def run(self, stop: asyncio.Event) -> None:
        """Beat until `stop` is set; then take the beat away, so that nobody waits for it."""
        count = 0
        while not stop.is_set():
            count += 1
            pause_s = BEAT_S if await self._beat(count) else RETRY_S
            await set_within(stop, pause_s)
        with suppress(StoreTrouble):
            await self._line.ask(Command("beat", ("DEL", keys.instance(self._own)), bool))

    async def _beat(self, count: int) -> bool:
        words = ("SET", keys.instance(self._own), count, "PX", EXPIRY_MS)
        try:
            return await self._line.ask(Command("beat", words, bool))
        except StoreTrouble:
            return False

    async def _beats(self, instance: str) -> bool:
        """Watch until the beat changes, or has been missed.

        No beat at all is proof of an orderly end, unless the store was away: then even a
        living instance may not have come back yet.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + WATCH_S
        first = beat = await self._read(instance)
        while loop.time() < until:
            if beat is None and self._line.answering_for_s() > WATCH_S:
                return False
            await asyncio.sleep(POLL_S)
            beat = await self._read(instance)
            if beat is not None and beat != first:
                return True
        return False

    async def _read(self, instance: str) -> str | None:
        return await self._line.ask(Command("beats", ("GET", keys.instance(instance)), _text))

    def _note(self, instance: str, *, alive: bool) -> None:
        now = asyncio.get_running_loop().time()
        self._died = {i: at for i, at in self._died.items() if now - at < DEAD_FOR_S}
        if not alive:
            self._died[instance] = now
        idle = [i for i in self._watching if i != instance and not self._watching[i].locked()]
        for other in idle:
            del self._watching[other]


def _text(answer: str | None) -> str | None:
    return answer
