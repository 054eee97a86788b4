"""What a server that somebody else runs may forget of what it was given (rule 1).

The embedded one is started with the right options; any other tells in its INFO. `check` asks, and
a relay when it begins to serve.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from relay.concurrency.waiting import set_within
from relay.core.errors import StoreTrouble
from relay.store.commands import Command
from relay.store.connections.line import Line

log = logging.getLogger(__name__)

ASK_AGAIN_S: Final = 10.0
"""Until a store that did not answer is asked once more."""


@dataclass(frozen=True, slots=True)
class Weakness:
    """How counters may be lost: by `what`, in a word; `says` is for people.

    `is_grave`: with no fault of anything, and unseen.
    """

    what: str
    says: str
    is_grave: bool


async def weaknesses_of(line: Line) -> list[Weakness]:
    """Those of all servers behind `line` that may be asked, each once. Raises StoreTrouble."""
    found = dict[Weakness, None]()
    for holding in await line.holdings():
        told = await line.ask_if_allowed(_INFO, holding.at)
        found |= dict.fromkeys(weaknesses_in(told or {}))
    return [*found]


async def warn_of_weaknesses(line: Line, stop: asyncio.Event) -> None:
    """One line in the log for each, once the store answers; none where `stop` is set before."""
    while not stop.is_set():
        try:
            found = await weaknesses_of(line)
        except StoreTrouble:
            await set_within(stop, ASK_AGAIN_S)
        else:
            for weakness in found:
                log.warning("the store may forget what was sent: %s", weakness.says)
            return


def weaknesses_in(info: Mapping[str, str]) -> Iterator[Weakness]:
    """Those of a server whose INFO has these fields; none of what it does not tell."""
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction" and info.get("maxmemory", "0") != "0":
        says = f"maxmemory-policy is {policy}: full, it drops counters: set noeviction"
        yield Weakness("eviction", says, is_grave=True)
    if info.get("aof_enabled") == "0":
        says = "appendonly is off: a restart may bring old counters back, or none"
        yield Weakness("durability", says, is_grave=False)


def _fields(answer: Any) -> dict[str, str]:
    pairs = (line.partition(":") for line in str(answer).splitlines())
    return {name: value for name, colon, value in pairs if colon}


_INFO: Final = Command("info", ("INFO",), _fields)
