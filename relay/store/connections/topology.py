"""What stands behind a store: one server, a master that Sentinel names, or a cluster.

`line.py` brings commands and deadlines; a topology brings them to the right server, each at
most once. It knows nothing of quota. Read `node.py` next, then `sentinel.py`, `cluster.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from relay.store import layout
from relay.store.commands import Command
from relay.store.connections.durability import Acks, waits
from relay.store.connections.node import Node
from relay.store.connections.places import Address
from relay.store.connections.pool import Pool


@dataclass(frozen=True, slots=True)
class Holding:
    """A server that holds a part of the keys; `slots` are first and last of each range.

    The server of a store that is not a cluster has no address here, and holds all.
    """

    at: Address | None = None
    slots: tuple[tuple[int, int], ...] = ()


class Topology(Protocol):
    """Brings commands to the servers of one store. `until` is in seconds of the loop's clock."""

    async def say(
        self, commands: Sequence[Command[Any]], until: float, at: Address | None = None
    ) -> list[Any]:
        """One answer each, in order; none is said twice, save where it was not carried out.

        An error that a server answered stands in the list as a ResponseError. Raises whatever
        else goes wrong; the commands may then have been carried out, or not. `at` is the
        server to ask where the command itself does not tell.
        """

    def says_at_once(self) -> bool:
        """Whether what is said now has to wait for nothing, whichever server it is for."""

    async def holdings(self, until: float) -> tuple[Holding, ...]:
        """The servers that together hold every key, as of now. Comparable."""

    async def reach(self, until: float) -> None:
        """Find out whether the store is there and ours. Raises WrongLayout, or what went wrong."""

    def answering_for_s(self) -> float:
        """How long the store has answered without a failure or a change; 0 while it is away."""

    async def close(self) -> None:
        """Close the connections that are not in use."""


class OneMaster:
    """`Topology` of a store all of whose keys are at one server at a time: that of `node`."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def say(
        self, commands: Sequence[Command[Any]], until: float, at: Address | None = None
    ) -> Coroutine[Any, Any, list[Any]]:
        """See `Topology`."""
        assert at is None, "there is only one server"
        return self._node.say(commands, until)

    def says_at_once(self) -> bool:
        """See `Topology`."""
        return self._node.says_at_once()

    async def holdings(self, until: float) -> tuple[Holding, ...]:  # noqa: ARG002
        """See `Topology`."""
        return (Holding(),)

    async def reach(self, until: float) -> None:
        """See `Topology`."""
        async with asyncio.timeout_at(until):
            await self._node.gate.passed()

    def answering_for_s(self) -> float:
        """See `Topology`."""
        return self._node.gate.open_for_s()

    async def close(self) -> None:
        """See `Topology`."""
        await self._node.close()


class OneServer(OneMaster):
    """A server at a fixed place. Raises StoreUnusable for a bad `url`."""

    def __init__(self, url: str, timeout_s: float, acks: Acks | None = None) -> None:
        super().__init__(Node(Pool(url, timeout_s, apart=waits(acks)), _prove, acks))


async def _prove(node: Node) -> None:
    (answer,) = await node.say_unproven([layout.CLAIM])
    layout.check(answer)
