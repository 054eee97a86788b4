"""A cluster: three masters with a replica each, and slots that can be moved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import redis

from tests.harness.members import DURABLE, FOLLOWER, HOST, QUICK, USERS, Member
from tests.harness.ports import free_port
from tests.harness.waiting import until

NODE_TIMEOUT_MS = 1000
SLOTS = 16384


class Cluster:
    """Three masters with a replica each."""

    def __init__(self) -> None:
        self.members = [
            Member(
                *DURABLE,
                *QUICK,
                *USERS,
                *FOLLOWER,
                *("--cluster-enabled", "yes", "--cluster-node-timeout", str(NODE_TIMEOUT_MS)),
                *("--cluster-replica-validity-factor", "0", "--cluster-port", str(free_port())),
                *("--cluster-allow-replica-migration", "no"),
            )
            for _ in range(6)
        ]

    @property
    def url(self) -> str:
        return "redis+cluster://" + ",".join(f"{HOST}:{m.port}" for m in self.members[:3])

    def start(self) -> Cluster:
        for member in self.members:
            member.start(wait=False)
        for member in self.members:
            until(member.answers, "the server to answer", every_s=0.02)
        masters, replicas = self.members[:3], self.members[3:]
        for number, master in enumerate(masters):
            first, last = SLOTS * number // 3, SLOTS * (number + 1) // 3 - 1
            master.said("CLUSTER", "ADDSLOTSRANGE", first, last)
            master.said("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        self._meet()
        for master, replica in zip(masters, replicas, strict=True):
            replica.said("CLUSTER", "REPLICATE", self.id_of(master))
        self.settled()
        return self

    def _meet(self) -> None:
        for member in self.members[1:]:
            port, bus = member.port, member._options[member._options.index("--cluster-port") + 1]
            self.members[0].said("CLUSTER", "MEET", HOST, port, bus)
        until(
            lambda: all(len(m.said("CLUSTER NODES")) == 6 for m in self.members),
            "everybody to know everybody",
        )

    def settled(self) -> None:
        """Wait until every slot is served and every replica follows."""
        until(self._is_settled, "the cluster to settle", timeout_s=20)

    def _is_settled(self) -> bool:
        states = [self._state(member) for member in self.members]
        return states == ["ok"] * 6 and sum(m.follows() for m in self.members) == 3

    def _state(self, member: Member) -> str:
        with suppress(redis.RedisError):
            return member.said("CLUSTER INFO")["cluster_state"]
        return "away"

    def id_of(self, member: Member) -> str:
        return member.said("CLUSTER", "MYID")

    def master_of(self, key: str) -> Member:
        """Who serves `key`, by what the servers that answer say."""
        slot = self.slot_of(key)
        for member in self.members:
            with suppress(redis.RedisError):
                if member.is_master() and self._serves(member, slot):
                    return member
        raise AssertionError(f"nobody serves slot {slot}")

    def _serves(self, member: Member, slot: int) -> bool:
        nodes = member.said("CLUSTER NODES")
        mine = next(node for node in nodes.values() if "myself" in node["flags"])
        return any(int(r[0]) <= slot <= int(r[-1]) for r in mine["slots"])

    def slot_of(self, key: str) -> int:
        member = next(m for m in self.members if m.answers())
        return member.said("CLUSTER", "KEYSLOT", key)

    @contextmanager
    def moving(self, slot: int, source: Member, target: Member) -> Iterator[Callable[[], None]]:
        """Move a slot; in between, the function given moves the keys that are there by then."""
        target.said("CLUSTER", "SETSLOT", slot, "IMPORTING", self.id_of(source))
        source.said("CLUSTER", "SETSLOT", slot, "MIGRATING", self.id_of(target))

        def move_keys() -> None:
            for _ in range(100):
                names = source.said("CLUSTER", "GETKEYSINSLOT", slot, 100)
                if not names:
                    return
                source.said("MIGRATE", HOST, target.port, "", 0, 2000, "KEYS", *names)
            raise AssertionError("new keys keep coming")

        yield move_keys
        move_keys()
        for member in (target, source, *(m for m in self.members if m.is_master())):
            member.said("CLUSTER", "SETSLOT", slot, "NODE", self.id_of(target))

    def move_slot(self, slot: int, source: Member, target: Member) -> None:
        """Move a slot with its keys, key by key, as every version can."""
        with self.moving(slot, source, target):
            pass

    def move_slot_whole(self, slot: int, source: Member, target: Member) -> None:
        """Move a slot in one step, as Valkey can from 9.0 on."""
        source.said("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", slot, slot, "NODE", self.id_of(target))
        until(lambda: self._serves(target, slot), "the slot to arrive")

    def replica_of(self, master: Member) -> Member:
        where = master.info()["slave0"]["port"]
        return next(m for m in self.members if m.port == where)

    def close(self) -> None:
        for member in self.members:
            member.close()
