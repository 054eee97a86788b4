"""The line to the store: deadlines, what may be said twice, and what is logged when it fails.

Everything that goes wrong leaves here as StoreTrouble (rule 5); what it was goes to the log,
once per outage. Knows nothing of quota, nor of how many servers there are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final, TypeVar

from redis.exceptions import (
    AskError,
    ClusterDownError,
    ReadOnlyError,
    ResponseError,
    TryAgainError,
)

from relay.core.errors import StoreTrouble
from relay.store.commands import Command
from relay.store.connections.durability import TooFewReplicas, lasts, touching
from relay.store.connections.outages import Outages
from relay.store.connections.places import Address
from relay.store.connections.topology import Holding, Topology

T = TypeVar("T")

AGAIN_S: Final = 0.1
"""Pause before an idempotent command is said again."""

_PASSING: Final = (AskError, ClusterDownError, ReadOnlyError, TooFewReplicas, TryAgainError)
"""Errors that a server answers while masters change and slots move. MOVED is an AskError."""

_PASSING_WORDS: Final = ("NOREPLICAS", "MASTERDOWN")


class Line:
    """One store, reached over `servers`. Every call ends within `timeout_s`."""

    def __init__(self, servers: Topology, timeout_s: float, *, waits: bool = False) -> None:
        """`waits`: replicas have to acknowledge what is written, see `durability.py`."""
        self._servers = servers
        self._timeout_s = timeout_s
        self._waits = waits
        self._outages = Outages()

    async def ask(self, command: Command[T], at: Address | None = None) -> T:
        """Say `command` at most once. Raises StoreTrouble: it may have been carried out.

        `at` is one of `holdings`, for a command that is about a server and not about a key.
        """
        try:
            (answer,) = await self._servers.say((command,), _in(self._timeout_s), at)
            found = command.decode(_good(answer))
        except Exception as error:
            raise self._failed(command.verb, error) from error
        if self._outages.since:
            self._worked(command.verb)
        return found

    async def ask_if_allowed(self, command: Command[T], at: Address | None = None) -> T | None:
        """As `ask`, of what nobody needs; None where the server refuses, which is no failure."""
        try:
            (answer,) = await self._servers.say((command,), _in(self._timeout_s), at)
        except Exception as error:
            raise self._failed(command.verb, error) from error
        return None if isinstance(answer, ResponseError) else command.decode(answer)

    async def ask_all(self, commands: Sequence[Command[T]]) -> list[T]:
        """Say all of `commands`, each at most once, in one round trip where possible."""
        if not commands:
            return []
        try:
            answers = await self._servers.say(commands, _in(self._timeout_s))
            found = _decoded(commands, answers)
        except Exception as error:
            raise self._failed(commands[0].verb, error) from error
        self._worked(commands[0].verb)
        return found

    async def insist(self, command: Command[T]) -> T:
        """Say an idempotent `command`, again if it failed, until the deadline.

        One attempt gets half of the time, so that a connection that has gone dumb leaves
        room for another one.
        """
        return (await self.insist_all((command,)))[0]

    async def insist_all(self, commands: Sequence[Command[T]]) -> list[T]:
        """`insist` of several: all of them are said again if one failed."""
        now = asyncio.get_running_loop().time
        deadline, half_s = now() + self._timeout_s, self._timeout_s / 2
        is_touching = self._waits and any(map(lasts, commands))
        said = _with_touches(commands) if is_touching else commands
        while True:
            try:
                answers = await self._servers.say(said, min(deadline, now() + half_s))
                found = _decoded(commands, answers[1::2] if is_touching else answers)
                break
            except Exception as error:
                if not _passes(error) or now() + AGAIN_S >= deadline:
                    raise self._failed(commands[0].verb, error) from error
            await asyncio.sleep(AGAIN_S)
        if self._outages.since:
            self._worked(commands[0].verb)
        return found

    async def holdings(self) -> tuple[Holding, ...]:
        """The servers that together hold every key, as of now. Raises StoreTrouble."""
        try:
            found = await self._servers.holdings(_in(self._timeout_s))
        except Exception as error:
            raise self._failed("holdings", error) from error
        self._outages.ended("holdings")  # not the store: a single server was not even asked
        return found

    def says_at_once(self) -> bool:
        """Whether what is said now goes out in the next turn of the loop."""
        return self._servers.says_at_once()

    def answering_for_s(self) -> float:
        """How long the store has answered this process without a failure; 0 while away."""
        return self._servers.answering_for_s()

    async def reach(self) -> None:
        """Find out whether the store is there and ours.

        Raises WrongLayout, or whatever goes wrong on the way: for start-up, where both are
        told to people.
        """
        await self._servers.reach(_in(self._timeout_s))

    async def close(self) -> None:
        """Close the connections, those in use when they are free."""
        await self._servers.close()

    def _failed(self, verb: str, error: Exception) -> StoreTrouble:
        """What the caller hears of `error`, which is logged."""
        self._outages.failed(verb if isinstance(error, ResponseError) else "store", error)
        return StoreTrouble()

    def _worked(self, verb: str) -> None:
        self._outages.ended("store")
        self._outages.ended(verb)


def _in(seconds: float) -> float:
    """That moment, by the clock of the running loop."""
    return asyncio.get_running_loop().time() + seconds


def _passes(error: Exception) -> bool:
    """Whether it may be gone in a moment: all but what a healthy server has against a command."""
    if not isinstance(error, ResponseError):
        return True
    return isinstance(error, _PASSING) or str(error).startswith(_PASSING_WORDS)


def _with_touches(commands: Sequence[Command[T]]) -> list[Command[Any]]:
    return [each for command in commands for each in (touching(command), command)]


def _decoded(commands: Sequence[Command[T]], answers: Sequence[Any]) -> list[T]:
    """What `answers` mean. Raises the first that is an error."""
    pairs = zip(commands, answers, strict=True)
    return [command.decode(_good(answer)) for command, answer in pairs]


def _good(answer: Any) -> Any:
    if isinstance(answer, ResponseError):
        raise answer
    return answer
