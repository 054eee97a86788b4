"""The whole quota state as records, out of one store and into another.

A record is one key with its value; nothing is interpreted, so that what a later version of
this layout adds moves too. Each key is read in one step; for an image of one instant stop the
relays first. Reservations in flight move as charged: what a crash would leave behind.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Any, Final

from relay.core.errors import StoreTrouble
from relay.store import keys
from relay.store.commands import Command, Word
from relay.store.line import Line
from relay.store.places import Address

FORMAT: Final = f"warmup-relay state {keys.LAYOUT_VERSION}"
"""The first line of an export; another one is refused."""

_PATTERN: Final = "wr1:{*"
_BATCH: Final = 500


class BadRecord(ValueError):
    """A record that no export of this version can hold; the text says what is wrong."""


class NotEmpty(ValueError):
    """The store holds state of its own; importing would mix two histories."""


class SlotsMoved(Exception):
    """What was read of a cluster may have holes."""


@dataclass(frozen=True, slots=True)
class Record:
    """One key: `kind` is hash or zset, `value` field → text or member → score.

    `ttl_ms` is what is left of its life, or -1 if it has no end.
    """

    key: str
    kind: str
    value: dict[str, str]
    ttl_ms: int


async def exported(line: Line) -> AsyncIterator[Record]:
    """Every record of the state, in no order. Raises StoreTrouble.

    On a cluster, every master is gone through; if slots have moved meanwhile, some key may have
    been missed, and StoreTrouble is raised at the end.
    """
    holdings = await line.holdings()
    seen: set[str] = set()
    for holding in holdings:
        async for found in _keys_at(line, holding.at):
            fresh = [key for key in found if key not in seen]
            seen.update(fresh)
            for record in await _read(line, fresh):
                yield record
    if await line.holdings() != holdings:
        raise StoreTrouble from SlotsMoved("slots of the cluster moved meanwhile; export again")


async def _keys_at(line: Line, at: Address | None) -> AsyncIterator[list[str]]:
    cursor = "0"
    while True:
        cursor, found = await line.ask(_scan(cursor), at)
        yield found
        if cursor == "0":
            return


async def imported(line: Line, records: Iterable[Record], *, replace: bool) -> int:
    """Write `records`; the count of them. Raises NotEmpty, BadRecord or StoreTrouble.

    With `replace`, state of the same keys is overwritten; without, a store that holds any
    state is refused and nothing is written.
    """
    checked = [_checked(record) for record in records]
    if not replace:
        async for record in exported(line):
            raise NotEmpty(f"the store holds quota state already, such as {record.key}")
    for start in range(0, len(checked), _BATCH):
        batch = checked[start : start + _BATCH]
        await line.ask_all([command for record in batch for command in _write(record)])
    return len(checked)


async def _read(line: Line, found: list[str]) -> list[Record]:
    kinds = await line.ask_all([Command("export", ("TYPE", key), str) for key in found])
    ttls = await line.ask_all([Command("export", ("PTTL", key), int) for key in found])
    values = await line.ask_all([_value(key, kind) for key, kind in zip(found, kinds, strict=True)])
    records = zip(found, kinds, values, ttls, strict=True)
    return [Record(*parts) for parts in records if parts[2]]


def _value(key: str, kind: str) -> Command[dict[str, str]]:
    if kind == "zset":
        return Command("export", ("ZRANGE", key, 0, -1, "WITHSCORES"), _pairs)
    if kind == "hash":
        return Command("export", ("HGETALL", key), _pairs)
    return Command("export", ("EXISTS", key), lambda _: {})  # gone since it was found


def _pairs(answer: Any) -> dict[str, str]:
    if isinstance(answer, dict):
        return {str(name): str(value) for name, value in answer.items()}
    flat = [part for item in answer for part in (item if isinstance(item, list) else [item])]
    return {str(name): str(value) for name, value in zip(flat[::2], flat[1::2], strict=True)}


def _scan(cursor: str) -> Command[tuple[str, list[str]]]:
    words = ("SCAN", cursor, "MATCH", _PATTERN, "COUNT", _BATCH)
    return Command("export", words, lambda answer: (str(answer[0]), list(answer[1])))


def _checked(record: Record) -> Record:
    if not record.key.startswith("wr1:{") or record.kind not in {"hash", "zset"}:
        raise BadRecord(f"no key of this layout: {record.key!r} ({record.kind})")
    if not record.value:
        raise BadRecord(f"{record.key!r} holds nothing")
    return record


def _write(record: Record) -> list[Command[None]]:
    if record.kind == "hash":
        verb, parts = "HSET", [part for pair in record.value.items() for part in pair]
    else:
        verb, parts = (
            "ZADD",
            [part for name, score in record.value.items() for part in (score, name)],
        )
    said: list[tuple[Word, ...]] = [("DEL", record.key), (verb, record.key, *parts)]
    if record.ttl_ms > 0:
        said.append(("PEXPIRE", record.key, record.ttl_ms))
    return [Command("import", words, _nothing) for words in said]


def _nothing(_answer: object) -> None:
    return None
