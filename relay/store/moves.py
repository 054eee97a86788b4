"""The whole quota state as records, out of one store and into another, while relays run.

A record is one key with its value; nothing is interpreted, so that what a later version of
this layout adds moves too. What counts for a domain is read in one step, and written in one:
a backup has each domain as of one instant, what was in flight then as charged. Its memory of
messages is read beside that: what was accepted later is in no backup anyhow.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Any, Final

from relay.core.errors import StoreTrouble
from relay.store import keys
from relay.store.commands import Command, Word, evalsha, script
from relay.store.connections.line import Line
from relay.store.connections.places import Address
from relay.store.inventory import Inventory

FORMAT: Final = f"warmup-relay state {keys.LAYOUT_VERSION}"
"""The first line of a backup says so; another one is refused."""

_PATTERN: Final = "wr1:{*"
_BATCH: Final = 500
_DOMAINS: Final = 20
"""How many scripts, each for one domain, are under way at once."""

_LONGEST_MS: Final = 2**53
"""A life that the store, and Lua's numbers, can hold."""

_NUMBERS: Final = {
    "slices": (re.compile(r"[0-9]{1,15}"), "counts"),
    "zset": (re.compile(r"[+-]?[0-9]{1,20}(\.[0-9]{1,20})?(e[+-]?[0-9]{1,2})?"), "scores"),
}
"""What the values of such a key have to be: the store takes nothing else."""


class BadRecord(ValueError):
    """A record that no backup of this version can hold; the text says what is wrong."""


class NotEmpty(ValueError):
    """The store holds state of its own; restoring would mix two histories."""


class Unfinished(Exception):
    """Some records are written and others are not; to be done again, with `replace`."""


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
    """Every record of the state, a domain after the other. Raises StoreTrouble.

    On a cluster, every master is gone through; if slots have moved meanwhile, some key may have
    been missed, and StoreTrouble is raised at the end.
    """
    holdings = await line.holdings()
    found = Inventory()
    for holding in holdings:
        async for names in _keys_at(line, holding.at):
            found.add(names)
    steps = (step for domain in found.domains() for step in _steps(*domain))
    for several in _batches(steps, _DOMAINS):
        for records in await line.ask_all([_backup(step) for step in several]):
            for record in records:
                yield record
    if await line.holdings() != holdings:
        raise StoreTrouble from SlotsMoved("slots of the cluster moved meanwhile; do it again")


async def imported(line: Line, records: Iterable[Record], *, replace: bool) -> int:
    """Write `records`; the count of them. Raises NotEmpty, BadRecord, StoreTrouble or Unfinished.

    They are gone through twice and not held: to check all before anything is written, and to
    write, each domain in one step where they are in the order of `exported`. With `replace`,
    state of the same keys is overwritten, but no charge is forgotten; without, a store that holds
    any state is refused and nothing is written.
    """
    for record in records:
        _check(record)
    if not replace and (held := await _any_key(line)):
        raise NotEmpty(f"the store holds quota state already, such as {held}")
    count = 0
    for several in _batches(_writes(records), _DOMAINS):
        await line.ask_all([_restore(step) for step in several])
        count += sum(map(len, several))
    return count


def _writes(records: Iterable[Record]) -> Iterator[tuple[Record, ...]]:
    """As `_steps`: what counts for one domain at once, then its messages, some at a time."""
    try:
        for (_, is_message), run in groupby(records, _kept_with):
            if is_message:
                yield from _batches(run, _BATCH)
            else:
                yield tuple(run)
    except (OSError, ValueError) as error:
        raise Unfinished(f"what was read the second time is another backup: {error}") from error


def _kept_with(record: Record) -> tuple[str, bool]:
    return keys.tag_of(record.key), keys.is_message(record.key)


def _steps(counted: list[str], messages: list[str]) -> Iterator[tuple[str, ...]]:
    """The keys of one domain: those that count at once, then its messages, some at a time."""
    yield from ([tuple(counted)] if counted else [])
    yield from _batches(messages, _BATCH)


def _batches(items: Iterable[Any], size: int) -> Iterator[tuple[Any, ...]]:
    rest = iter(items)
    return iter(lambda: tuple(islice(rest, size)), ())


async def _any_key(line: Line) -> str | None:
    for holding in await line.holdings():
        async for names in _keys_at(line, holding.at):
            if names:
                return names[0]
    return None


async def _keys_at(line: Line, at: Address | None) -> AsyncIterator[list[str]]:
    cursor = "0"
    while True:
        cursor, found = await line.ask(_scan(cursor), at)
        yield [name for name in found if not keys.is_passing(name)]
        if cursor == "0":
            return


def _scan(cursor: str) -> Command[tuple[str, list[str]]]:
    words = ("SCAN", cursor, "MATCH", _PATTERN, "COUNT", _BATCH)
    return Command("backup", words, lambda answer: (str(answer[0]), list(answer[1])))


def _backup(names: tuple[str, ...]) -> Command[list[Record]]:
    def decoded(answer: Any) -> list[Record]:
        read = zip(names, answer, strict=True)
        found = [
            Record(name, kind, _pairs(flat), int(ttl_ms)) for name, (kind, ttl_ms, flat) in read
        ]
        return [record for record in found if record.value]

    return evalsha("backup", script("backup"), names, (len(names),), decoded)


def _pairs(flat: list[Any]) -> dict[str, str]:
    return {str(name): str(value) for name, value in zip(flat[::2], flat[1::2], strict=True)}


def _restore(records: Sequence[Record]) -> Command[int]:
    names = tuple(record.key for record in records)
    words = [word for record in records for word in _words(record)]
    return evalsha("restore", script("restore"), names, tuple(words), int)


def _words(record: Record) -> Iterator[Word]:
    """One key's part of ARGV of `lua/restore.lua`."""
    value = dict(record.value)
    if keys.is_route(record.key):
        value.pop("open", None)  # the slices decide: they may hold more than the backup's window
    yield _shape(record)
    yield record.ttl_ms
    yield len(value)
    for pair in value.items():
        yield from pair


def _check(record: Record) -> None:
    if not record.key.startswith("wr1:{") or record.kind not in {"hash", "zset"}:
        raise BadRecord(f"no key of this layout: {record.key!r} ({record.kind})")
    if not record.value:
        raise BadRecord(f"{record.key!r} holds nothing")
    if not -1 <= record.ttl_ms <= _LONGEST_MS:
        raise BadRecord(f"{record.key!r} does not live for {record.ttl_ms} ms")
    number, what = _NUMBERS.get(_shape(record), (None, ""))
    if number and not all(map(number.fullmatch, record.value.values())):
        raise BadRecord(f"{record.key!r} holds something else than {what}")


def _shape(record: Record) -> str:
    """The kind of `record`, as `lua/restore.lua` tells them apart."""
    return "slices" if keys.is_slices(record.key) else record.kind
