"""Which server of a cluster holds which hash slots: CLUSTER SLOTS as a value.

See https://valkey.io/commands/cluster-slots/ and the cluster specification.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import Any

from redis.crc import key_slot

from relay.store import keys
from relay.store.commands import Command
from relay.store.connections.durability import first_key
from relay.store.connections.places import Address


@dataclass(frozen=True, slots=True)
class SlotMap:
    """Ranges of slots (first, last, master), rising; and the replicas, who know the map too."""

    ranges: tuple[tuple[int, int, Address], ...]
    replicas: frozenset[Address]

    def master_of(self, slot: int) -> Address | None:
        """The server that holds `slot`; None if none does."""
        at = bisect_right(self.ranges, slot, key=lambda known: known[0]) - 1
        if at < 0 or slot > self.ranges[at][1]:
            return None
        return self.ranges[at][2]

    @property
    def masters(self) -> tuple[Address, ...]:
        """Every server that holds slots, each once, in a fixed order."""
        return tuple(sorted({master for _, _, master in self.ranges}))

    def slots_of(self, master: Address) -> tuple[tuple[int, int], ...]:
        """The ranges that `master` holds."""
        return tuple((first, last) for first, last, there in self.ranges if there == master)


def slot_map(answer: Any, asked: Address) -> SlotMap:
    """What `asked` answered to CLUSTER SLOTS. Raises ValueError, TypeError or IndexError."""
    ranges = sorted((int(r[0]), int(r[1]), _address(r[2], asked)) for r in answer)
    replicas = frozenset(_address(node, asked) for r in answer for node in r[3:])
    return SlotMap(tuple(ranges), replicas)


def slot_of(command: Command[Any]) -> int:
    """The slot that `command` is for. One without a key goes where the layout is."""
    return int(key_slot((first_key(command) or keys.LAYOUT).encode()))


def _address(node: Any, asked: Address) -> Address:
    """A server that does not know its own name is where it was asked."""
    host = str(node[0] or "")
    return Address(asked.host if host in {"", "?"} else host, int(node[1]))
