"""The line to the store: deadlines, what may be said twice, and what is logged when it fails.

Everything that goes wrong leaves here as StoreTrouble (rule 5); what it was goes to the log,
once per outage. Knows nothing of quota.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

from redis.exceptions import NoScriptError, ReadOnlyError, ResponseError

from relay.core.errors import StoreTrouble
from relay.store import calls, keys
from relay.store.commands import Command
from relay.store.gate import Gate, Shut
from relay.store.outages import Outages
from relay.store.pool import Pool
from relay.store.troubles import WrongLayout

T = TypeVar("T")

log = logging.getLogger(__name__)

CONNECTIONS: Final = 32
"""Most conversations at once; others wait. More would not make one server any faster."""

AGAIN_S: Final = 0.1
"""Pause before an idempotent command is said again."""


class Line:
    """One store, reached over `pool`. Every call ends within `timeout_s`."""

    def __init__(self, pool: Pool, timeout_s: float) -> None:
        self._pool = pool
        self._timeout_s = timeout_s
        self._gate = Gate(self._prove)
        self._slots = asyncio.Semaphore(CONNECTIONS)
        self._outages = Outages()

    async def ask(self, command: Command[T]) -> T:
        """Say `command` at most once. Raises StoreTrouble: it may have been carried out."""
        return (await self.ask_all([command]))[0]

    async def ask_all(self, commands: Sequence[Command[T]]) -> list[T]:
        """Say all of `commands`, each at most once, in one round trip where possible."""
        if not commands:
            return []
        async with self._answering(commands[0].verb), asyncio.timeout(self._timeout_s):
            return await self._say_in_turn(commands)

    async def insist(self, command: Command[T]) -> T:
        """Say an idempotent `command`, again if it failed, until the deadline.

        One attempt gets half of the time, so that a connection that has gone dumb leaves
        room for another one.
        """
        async with self._answering(command.verb), asyncio.timeout(self._timeout_s):
            while True:
                try:
                    async with asyncio.timeout(self._timeout_s / 2):
                        return (await self._say_in_turn([command]))[0]
                except ResponseError:
                    raise
                except Exception as error:  # noqa: BLE001  whatever it was, the deadline ends it
                    await self._lost(error)
                    await asyncio.sleep(AGAIN_S)

    def answering_for_s(self) -> float:
        """How long the store has answered this process without a failure; 0 while away."""
        return self._gate.open_for_s()

    async def reach(self) -> None:
        """Find out whether the store is there and ours.

        Raises WrongLayout, or whatever goes wrong on the way: for start-up, where both are
        told to people.
        """
        async with asyncio.timeout(self._timeout_s):
            await self._gate.passed()

    async def close(self) -> None:
        """Close the connections that are not in use."""
        await self._pool.hang_up()

    async def _prove(self) -> None:
        (version,) = await self._say([calls.claim_layout()])
        if version != keys.LAYOUT_VERSION:
            raise WrongLayout(
                f"the store holds data in layout {version} (key {keys.LAYOUT}); this relay reads"
                f" layout {keys.LAYOUT_VERSION}: use the relay that wrote it, or another store"
            )

    @asynccontextmanager
    async def _answering(self, verb: str) -> AsyncIterator[None]:
        try:
            yield
        except Exception as error:
            await self._lost(error)
            self._outages.failed(_what_fails(verb, error), error)
            raise StoreTrouble from error
        else:
            self._outages.ended("store")
            self._outages.ended(verb)

    async def _lost(self, error: Exception) -> None:
        """Unless the server answered, trust no connection, and prove it before the next call."""
        if not isinstance(error, Shut | ResponseError) or isinstance(error, ReadOnlyError):
            self._gate.shut()
            await self._pool.hang_up()

    async def _say_in_turn(self, commands: Sequence[Command[T]]) -> list[T]:
        """Say `commands` when the store is there and a conversation is free.

        The store may be found away while one waits; then it has to be proven again.
        """
        while True:
            await self._gate.passed()
            async with self._slots:
                if self._gate.is_open:
                    return await self._say(commands)

    async def _say(self, commands: Sequence[Command[T]]) -> list[T]:
        answers = await self._pool.converse([command.words for command in commands])
        unknown = [n for n, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        if unknown:  # a script that the server does not know has not been run
            again = await self._say_with_scripts([commands[n] for n in unknown])
            for n, answer in zip(unknown, again, strict=True):
                answers[n] = answer
        return [_decoded(c, answer) for c, answer in zip(commands, answers, strict=True)]

    async def _say_with_scripts(self, commands: Sequence[Command[T]]) -> list[Any]:
        texts = {command.script.text for command in commands if command.script}
        loads = [("SCRIPT", "LOAD", text) for text in sorted(texts)]
        answers = await self._pool.converse([*loads, *(command.words for command in commands)])
        return answers[len(loads) :]


def _what_fails(verb: str, error: Exception) -> str:
    return verb if isinstance(error, ResponseError) else "store"


def _decoded(command: Command[T], answer: Any) -> T:
    if isinstance(answer, ResponseError):
        raise answer
    return command.decode(answer)
