"""A store of several masters: Redis or Valkey Cluster.

Every command goes to the server that holds the slot of its first key. MOVED and ASK are
followed, for they say that the command was not carried out; nothing else is said again. A
server that is away takes only its own slots with it. redis-py's cluster client is not used:
it repeats what was lost on the way, and cannot keep a WAIT on the connection of its write.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from redis.exceptions import AskError, ClusterDownError, MovedError

from relay.store import layout
from relay.store.commands import Command
from relay.store.connections.atlas import Atlas
from relay.store.connections.durability import Acks, tells_of_desertion, waits
from relay.store.connections.gate import Gate
from relay.store.connections.node import Node
from relay.store.connections.places import Address, Places
from relay.store.connections.pool import Pool
from relay.store.connections.slotmap import slot_of
from relay.store.connections.topology import Holding

HOPS: Final = 5
"""How many redirections one command follows; then it is in vain."""


class ClusterServers:
    """`Topology` of a cluster, found over the seeds of `places`. Raises StoreUnusable."""

    def __init__(self, places: Places, timeout_s: float, acks: Acks | None = None) -> None:
        self._places = places
        self._timeout_s = timeout_s
        self._acks = acks
        self._gate = Gate(self._prove)
        self._atlas = Atlas(places, timeout_s)
        self._nodes: dict[Address, Node] = {}
        self._edition = 0
        self._steady_since = float("-inf")
        self._node(places.seeds[0])  # a URL that makes no sense is told now

    async def say(
        self, commands: Sequence[Command[Any]], until: float, at: Address | None = None
    ) -> list[Any]:
        """See `Topology`."""
        if not self._gate.is_open:
            await self.reach(until)
        return await self._say(commands, until, at)

    def says_at_once(self) -> bool:
        """See `Topology`. Of servers that were not spoken to yet nothing is known."""
        return self._gate.is_open and all(node.says_at_once() for node in self._nodes.values())

    async def holdings(self, until: float) -> tuple[Holding, ...]:
        """See `Topology`."""
        await self.reach(until)
        async with asyncio.timeout_at(until):
            known = await self._atlas.draw()
        return tuple(Holding(master, known.slots_of(master)) for master in known.masters)

    async def reach(self, until: float) -> None:
        """See `Topology`. The layout is looked at once, in the life of this process."""
        async with asyncio.timeout_at(until):
            await self._gate.passed()

    def answering_for_s(self) -> float:
        """See `Topology`."""
        now = asyncio.get_running_loop().time()
        return min(self._gate.open_for_s(), now - self._steady_since)

    async def close(self) -> None:
        """See `Topology`."""
        nodes, self._nodes = self._nodes, {}
        await asyncio.gather(*(node.close() for node in nodes.values()))

    async def _prove(self) -> None:
        await self._atlas.draw()
        until = asyncio.get_running_loop().time() + self._timeout_s
        (answer,) = await self._say([layout.CLAIM], until)
        layout.check(answer)

    async def _say(
        self, commands: Sequence[Command[Any]], until: float, at: Address | None = None
    ) -> list[Any]:
        """Say `commands`, each where it belongs, and those that were redirected once more."""
        answers: list[Any] = [None] * len(commands)
        left = {(at, False): list(range(len(commands)))}
        for _ in range(HOPS):
            batches = await self._sorted(commands, left, until)
            said = await asyncio.gather(
                *(
                    self._say_at(address, [commands[n] for n in some], until, asking=asking)
                    for (address, asking), some in batches.items()
                ),
                return_exceptions=True,
            )
            for some, found in zip(batches.values(), said, strict=True):
                if isinstance(found, BaseException):
                    raise found
                for n, answer in zip(some, found, strict=True):
                    answers[n] = answer
            left = await self._redirected(batches, answers, until)
            if not left:
                break
        return answers

    async def _sorted(
        self,
        commands: Sequence[Command[Any]],
        left: dict[tuple[Address | None, bool], list[int]],
        until: float,
    ) -> dict[tuple[Address, bool], list[int]]:
        """The numbers of the commands by the server they go to."""
        batches: dict[tuple[Address, bool], list[int]] = {}
        for (address, asking), some in left.items():
            for n in some:
                there = address or await self._atlas.master_of(slot_of(commands[n]), until)
                batches.setdefault((there, asking), []).append(n)
        await self._forget_nodes()
        return batches

    async def _say_at(
        self, address: Address, commands: Sequence[Command[Any]], until: float, *, asking: bool
    ) -> list[Any]:
        try:
            answers = await self._node(address).say(commands, until, asking=asking)
        except Exception:
            self._unsteady(address)
            raise
        if any(isinstance(a, ClusterDownError) or tells_of_desertion(a) for a in answers):
            self._unsteady(address)
        return answers

    async def _redirected(
        self,
        batches: dict[tuple[Address, bool], list[int]],
        answers: list[Any],
        until: float,
    ) -> dict[tuple[Address | None, bool], list[int]]:
        """The numbers of the commands that have to be said elsewhere, and where."""
        left: dict[tuple[Address | None, bool], list[int]] = {}
        moved = False
        for (address, _), some in batches.items():
            for n in some:
                answer = answers[n]
                if not isinstance(answer, AskError):
                    continue
                there = Address(answer.host or address.host, answer.port)
                asking = not isinstance(answer, MovedError)
                left.setdefault((there, asking), []).append(n)
                if not asking:
                    moved = True
                    self._atlas.moved(answer.slot_id, there)
        if moved:
            self._steady_since = asyncio.get_running_loop().time()
            await self._atlas.redraw(until)
        return left

    def _unsteady(self, address: Address) -> None:
        self._steady_since = asyncio.get_running_loop().time()
        self._atlas.doubt(address)

    def _node(self, address: Address) -> Node:
        if address not in self._nodes:
            pool = Pool(self._places.url(address), self._timeout_s, apart=waits(self._acks))
            self._nodes[address] = Node(pool, _prove_node, self._acks)
        return self._nodes[address]

    async def _forget_nodes(self) -> None:
        """Hang up on servers that hold nothing any more, once a map."""
        if self._edition == self._atlas.edition:
            return
        self._edition = self._atlas.edition
        gone = [address for address in self._nodes if not self._atlas.uses(address)]
        for address in gone:
            await self._nodes.pop(address).close()


async def _prove_node(node: Node) -> None:
    """Whether it answers. Which slots are its own it tells by MOVED."""
    await node.say_unproven([_PING])


_PING: Final = Command("ping", ("PING",), bool)
