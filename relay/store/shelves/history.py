"""What charts and cards read of the past: sends by day, and what happened lately.

`days` is written by the scripts of the quota; what happened lately is a list of its own that
nothing but the pages depends on. For `ports.pages`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from relay.core.status.recent import KEPT_S, MOST_KEPT, Happening, Kind
from relay.core.tenants.tenancy import RouteId
from relay.store import keys
from relay.store.commands import Command, as_is, pairs
from relay.store.connections.line import Line
from relay.store.slices import epoch_ms, from_epoch_ms


class RedisHistory:
    """`ports.pages.History` over `line`."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def lately(self, routes: Sequence[tuple[RouteId, int]], days: int) -> list[list[int]]:
        """See `ports.pages.History`."""
        commands = [
            Command(
                "read days",
                ("HMGET", keys.days(route), *range(last - days + 1, last + 1)),
                _counts,
            )
            for route, last in routes
        ]
        return await self._line.ask_all(commands)

    async def days(self, route: RouteId) -> dict[int, int]:
        """See `ports.pages.History`."""
        return await self._line.ask(Command("read days", ("HGETALL", keys.days(route)), _by_day))


class RedisRecent:
    """`ports.pages.Recent` over `line`."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def add(self, route: RouteId, happenings: Sequence[Happening]) -> None:
        """See `ports.pages.Recent`."""
        key = keys.recent(route)
        texts = [_text_of(each) for each in happenings]
        commands: list[Command[Any]] = [
            Command("note recent", ("LPUSH", key, *texts), int),
            Command("cut recent", ("LTRIM", key, 0, MOST_KEPT - 1), as_is),
            Command("expire recent", ("PEXPIRE", key, int(KEPT_S * 1000)), int),
        ]
        await self._line.ask_all(commands)

    async def of(self, route: RouteId) -> list[Happening]:
        """See `ports.pages.Recent`."""
        words = ("LRANGE", keys.recent(route), 0, -1)
        return [_from(text) for text in await self._line.ask(Command("read recent", words, list))]


def _counts(answer: list[str | None]) -> list[int]:
    return [int(each or 0) for each in answer]


def _by_day(answer: Any) -> dict[int, int]:
    return {int(day): int(sends) for day, sends in pairs(answer).items()}


def _text_of(one: Happening) -> str:
    return json.dumps(
        {
            "kind": one.kind.value,
            "label": one.label,
            "text": one.text,
            "at": epoch_ms(one.at),
            "count": one.count,
            "opens_at": None if one.opens_at is None else epoch_ms(one.opens_at),
        }
    )


def _from(text: str) -> Happening:
    told = json.loads(text)
    return Happening(
        kind=Kind(told["kind"]),
        label=told["label"],
        text=told["text"],
        at=from_epoch_ms(told["at"]),
        count=told["count"],
        opens_at=None if told["opens_at"] is None else from_epoch_ms(told["opens_at"]),
    )
