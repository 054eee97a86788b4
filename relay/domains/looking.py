"""Pending domains, looked at by themselves: until their TXT records are found, or for a month.

The younger a domain is the more often: whoever has just added one is about to publish. What is
asked in one round is bounded. Several processes that look do no harm: a proof counts once.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from datetime import timedelta
from typing import Final

import structlog

from relay.concurrency.waiting import set_within
from relay.core.errors import StoreTrouble
from relay.core.tenants.added import AddedDomain
from relay.ports import Clock
from relay.ports.domains import By, DomainRefused, Domains
from relay.settings.live import LiveSettings

ROUND_S: Final = 10.0
AT_ONCE: Final = 4
MOST_IN_A_ROUND: Final = 40
FIRST_S: Final = 10.0
LONGEST_S: Final = 3600.0
FOR: Final = timedelta(days=30)
_BY: Final = By("the relay, which looked", None)

log = structlog.get_logger("relay")


def pause_s(age: timedelta) -> float:
    """How long after a look at a domain of that age the next one comes: a tenth of its age."""
    return min(LONGEST_S, max(FIRST_S, age.total_seconds() / 10))


class Looking:
    """Asks `domains` to verify what is pending in `settings`. When each was asked is kept here."""

    def __init__(self, settings: LiveSettings, domains: Domains, clock: Clock) -> None:
        self._settings = settings
        self._domains = domains
        self._clock = clock
        self._next: dict[str, float] = {}

    async def keep(self, stop: asyncio.Event) -> None:
        """Look again and again until `stop` is set. Ends with nothing else."""
        while not stop.is_set():
            try:
                await self.look()
            except Exception:
                log.exception("looking for the records of pending domains failed")
            await set_within(stop, ROUND_S)

    async def look(self) -> None:
        """One round: at those whose time has come, the longest waiting first."""
        due = self._due()
        room = asyncio.Semaphore(AT_ONCE)

        async def one(domain: AddedDomain) -> None:
            async with room:
                with suppress(DomainRefused, StoreTrouble):
                    await self._domains.verify(domain.name, _BY)
                    log.info("domain verified", domain=domain.name)

        async with asyncio.TaskGroup() as group:
            for domain in due:
                group.create_task(one(domain))

    def _due(self) -> list[AddedDomain]:
        now, at = self._clock.now(), time.monotonic()
        pending = {
            each.name: each
            for each in self._settings.added.values()
            if not each.is_proven and now - each.created_at < FOR
        }
        self._next = {name: when for name, when in self._next.items() if name in pending}
        due = sorted(
            (each for each in pending.values() if self._next.get(each.name, 0.0) <= at),
            key=lambda each: self._next.get(each.name, 0.0),
        )[:MOST_IN_A_ROUND]
        for each in due:
            self._next[each.name] = at + pause_s(now - each.created_at)
        return due
