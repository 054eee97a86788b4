"""A store whose master Redis or Valkey Sentinel names.

The sentinels are asked anew whenever the master fails somebody (connection lost, READONLY),
and a server is written only after it has said itself that it is a master. A majority of the
sentinels in the URL has to answer, and of those the youngest config counts: a sentinel that
was cut off during a failover still names the old master.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from redis.exceptions import ResponseError

from relay.store import layout
from relay.store.commands import Command, pairs
from relay.store.connections.durability import Acks, waits
from relay.store.connections.node import Node
from relay.store.connections.outages import told
from relay.store.connections.places import Address, Places
from relay.store.connections.pool import LIFE, Pool, life_in
from relay.store.connections.topology import OneMaster

ASK_SHARE: Final = 0.25
"""How much of a deadline the sentinels have to answer in: one that is frozen costs this."""


class NoMaster(Exception):
    """The sentinels do not name a master that is one. Time may cure it."""


@dataclass(frozen=True, slots=True)
class _Named:
    """What one sentinel says. `epoch` grows with every failover."""

    epoch: int
    master: Address


class SentinelServers(OneMaster):
    """A master and its replicas. Raises StoreUnusable for a bad URL."""

    def __init__(self, places: Places, timeout_s: float, acks: Acks | None = None) -> None:
        self._places = places
        self._timeout_s = timeout_s
        self._sentinels = [Pool(places.sentinel_url(a), timeout_s) for a in places.seeds]
        self._master: Address | None = None
        # Nothing is said to it before a master is proven, and that is another one.
        self._apart = waits(acks)
        self._pool = Pool(places.url(places.seeds[0]), timeout_s, apart=self._apart)
        super().__init__(Node(self._pool, self._prove, acks))

    async def close(self) -> None:
        """See `Topology`."""
        await asyncio.gather(super().close(), *(pool.close() for pool in self._sentinels))

    async def _prove(self, node: Node) -> None:
        master = await self._resolved()
        if master != self._master:
            self._pool = Pool(self._places.url(master), self._timeout_s, apart=self._apart)
            await node.move_to(self._pool)
            self._master = master
        self._pool.life = None
        role, about, claimed = await node.say_unproven([_ROLE, _ABOUT, layout.CLAIM])
        for answer in (role, about):
            if isinstance(answer, ResponseError):
                raise answer
        if _ROLE.decode(role) != "master":
            raise NoMaster(f"{master} is no master (any more): {_ROLE.decode(role)}")
        layout.check(claimed)
        # An old master that is started again believes for a while that it still is one.
        self._pool.life = _ABOUT.decode(about)

    async def _resolved(self) -> Address:
        answers = await asyncio.gather(*(self._ask(pool) for pool in self._sentinels))
        named = [answer for answer in answers if isinstance(answer, _Named)]
        needed = len(self._sentinels) // 2 + 1
        if len(named) < needed:
            why = "; ".join(answer for answer in answers if isinstance(answer, str))
            raise NoMaster(
                f"{len(named)} of {len(self._sentinels)} sentinels name a master for"
                f" {self._places.name!r}, {needed} have to: {why}"
            )
        return max(named, key=lambda answer: answer.epoch).master

    async def _ask(self, sentinel: Pool) -> _Named | str:
        """What it says, or what is wrong with it."""
        name = self._places.name
        try:
            async with asyncio.timeout(self._timeout_s * ASK_SHARE):
                place, about = await sentinel.converse(
                    [("SENTINEL", "GET-MASTER-ADDR-BY-NAME", name), ("SENTINEL", "MASTER", name)]
                )
        except Exception as error:  # noqa: BLE001  whatever it is, others may answer
            return told(error)
        if isinstance(about, ResponseError) or not place:
            return str(about or "knows no such master")
        epoch = int(pairs(about)["config-epoch"])
        return _Named(epoch, Address(str(place[0]), int(place[1])))


_ROLE: Final = Command("ping", ("ROLE",), lambda answer: str(answer[0]))
_ABOUT: Final = Command("ping", LIFE, life_in)
