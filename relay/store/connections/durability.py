"""Waiting until replicas have what was written: `wait_replicas`.

A server that answers has not told its replicas yet; if it dies at that moment, the one that
takes its place has never heard of the charge. WAIT, sent behind the write on the same
connection, tells how many replicas have acknowledged everything that the connection wrote.
Fewer than wanted is an error of the write: it may last or be lost, and unknown is charged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from redis.exceptions import ResponseError

from relay.core.errors import StoreTrouble
from relay.store import keys
from relay.store.commands import Command, Word

SHARE: Final = 0.4
"""How much of the deadline WAIT may take: an idempotent command gets half of it an attempt."""

_READING: Final = frozenset(
    {
        *("GET", "HGET", "HGETALL", "HMGET", "INFO", "LRANGE"),
        *("PING", "PTTL", "ROLE", "SCAN", "ZRANGE"),
    }
)
"""Commands that write nothing, whatever they are said for."""

_MAY_BE_LOST: Final = frozenset(
    {
        *("layout", "standing", "attempts", "backup", "meter", "beat", "give back"),
        *("remember mx", "note token"),
        *("note recent", "cut recent", "expire recent"),
        *("put session", "attempt", "clear attempts", "forgive"),
    }
)
"""Verbs of scripts that only read, and those whose loss costs nothing, or a sign-in.

Whatever is not named here is waited for.
"""


class TooFewReplicas(ResponseError):
    """The write was carried out, and too few replicas are known to have it."""


@dataclass(frozen=True, slots=True)
class Acks:
    """`count` replicas have to acknowledge a write within `within_ms`; 0: none is waited for."""

    count: int
    within_ms: int

    @classmethod
    def within(cls, count: int, timeout_s: float) -> Acks:
        """For commands with a deadline of `timeout_s`."""
        return cls(count, max(1, int(timeout_s * SHARE * 1000)))

    def wanted_by(self, commands: Sequence[Command[Any]]) -> list[tuple[Word, ...]]:
        """What has to be sent behind `commands`: nothing, or one WAIT for all of them."""
        if self.count and any(lasts(command) for command in commands):
            return [("WAIT", self.count, self.within_ms)]
        return []

    def judged(
        self, commands: Sequence[Command[Any]], answers: Sequence[Any], acknowledged: Any
    ) -> list[Any]:
        """`answers`, in which every write that too few have is a TooFewReplicas."""
        if isinstance(acknowledged, int) and acknowledged >= self.count:
            return list(answers)
        told = f"{acknowledged} of {self.count} replicas acknowledged it in time"
        return [
            TooFewReplicas(told) if lasts(c) and not isinstance(a, ResponseError) else a
            for c, a in zip(commands, answers, strict=True)
        ]


def waits(acks: Acks | None) -> bool:
    """Whether conversations hold up what is behind them on their connection (WAIT does)."""
    return acks is not None and acks.count > 0


def was_carried_out(trouble: StoreTrouble) -> bool:
    """Whether the server did what it was asked, and only replicas are not known to have it."""
    return isinstance(trouble.__cause__, TooFewReplicas)


def tells_of_desertion(answer: Any) -> bool:
    """Whether a server says that its replicas are gone: there may be another master by now.

    NOREPLICAS is its `min-replicas-to-write`.
    """
    is_refusal = isinstance(answer, ResponseError) and str(answer).startswith("NOREPLICAS")
    return is_refusal or isinstance(answer, TooFewReplicas)


def lasts(command: Command[Any]) -> bool:
    """Whether what `command` writes must outlive its server."""
    return command.words[0] not in _READING and command.verb not in _MAY_BE_LOST


def touching(command: Command[Any]) -> Command[None]:
    """A write on the server of `command`, to be said before one that may be said again.

    A verb that was carried out writes nothing the second time, and WAIT on a new connection
    that wrote nothing waits for nothing (Valkey, Redis from 7.2 on).
    """
    words = ("SET", keys.touch(first_key(command) or keys.LAYOUT), 1, "PX", 1000)
    return Command("touch", words, lambda _: None)


def first_key(command: Command[Any]) -> str | None:
    """The first key of `command`; None for one without."""
    words = command.words
    if words[0] == "EVALSHA":
        return str(words[3]) if int(words[2]) else None
    return str(words[1]) if len(words) > 1 and words[0] != "SCAN" else None
