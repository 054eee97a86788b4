"""Many clients at once, and the count of what they were told."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event

from tests.harness.wire import Wire, WireReply, mail


@dataclass
class Told:
    """What the clients heard: Message-IDs by outcome.

    `lost` are those whose connection broke before an answer came: nobody knows.
    """

    taken: set[str] = field(default_factory=set)
    deferred: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)
    replies: Counter[str] = field(default_factory=Counter)

    def add(self, other: Told) -> None:
        """Take the outcome of another client in."""
        self.taken |= other.taken
        self.deferred |= other.deferred
        self.lost |= other.lost
        self.replies += other.replies


def storm(
    ports: Sequence[int], sender: str, *, clients: int, each: int, stop: Event | None = None
) -> Told:
    """`clients` in parallel, spread over `ports`, each offering `each` messages in one session.

    Every message has one recipient and a Message-ID of its own. A client whose connection
    breaks connects anew for its next message; `stop` ends the storm early.
    """
    told = Told()
    halt = stop or Event()
    with ThreadPoolExecutor(clients) as pool:
        jobs = [
            pool.submit(_client, ports[number % len(ports)], sender, each, halt)
            for number in range(clients)
        ]
        for job in jobs:
            told.add(job.result(timeout=120))
    return told


def _client(port: int, sender: str, each: int, halt: Event) -> Told:
    told = Told()
    wire: Wire | None = None
    for _ in range(each):
        if halt.is_set():
            break
        message_id = f"{uuid.uuid4().hex}@{sender.partition('@')[2]}"
        try:
            wire = wire or Wire(port)
        except (OSError, AssertionError):
            halt.wait(0.05)
            continue
        wire = _offer(wire, sender, message_id, told)
    if wire:
        wire.close()
    return told


def _offer(wire: Wire, sender: str, message_id: str, told: Told) -> Wire | None:
    """Send one message; the connection if it may be used again."""
    try:
        reply = wire.send(
            sender, f"{message_id[:12]}@example.org", mail(sender, message_id=message_id)
        )
    except (OSError, AssertionError):
        told.lost.add(message_id)
        wire.close()
        return None
    _note(reply, message_id, told)
    if reply.code == 421:
        wire.close()
        return None
    return wire


def _note(reply: WireReply, message_id: str, told: Told) -> None:
    told.replies[f"{reply.code} {reply.enhanced}"] += 1
    (told.taken if reply.code == 250 else told.deferred).add(message_id)
