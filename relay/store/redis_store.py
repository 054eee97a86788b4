"""The quota store on Redis or Valkey: ports.QuotaStore, one script a verb.

What is atomic is in `lua/`, how it is said is `calls.py`, what goes wrong on the way is
`connections/line.py`. `reserve` is said at most once; the verbs that are idempotent may be said
again inside their deadline.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from secrets import token_hex
from typing import Final

from relay.concurrency.company import Company, InCompany
from relay.core.errors import StoreTrouble
from relay.core.policy.window import Window
from relay.core.quota.history import Past
from relay.core.quota.reservation import (
    Answer,
    Demand,
    Granted,
    Mark,
    Part,
    Reservation,
    Standing,
    Verdict,
)
from relay.core.tenants.tenancy import Route, RouteId
from relay.ports import Clock
from relay.store import calls
from relay.store.answers import parts_of, reservation_for
from relay.store.commands import Command
from relay.store.connections.durability import was_carried_out
from relay.store.connections.line import Line
from relay.store.embedded.disk import Disk
from relay.store.embedded.store import EmbeddedStore
from relay.store.instances import RedisInstances
from relay.store.ownership import Borrower
from relay.store.pasts import after_adopting
from relay.store.patience import Patience, marks_may_change, may_change
from relay.store.together import Together

STANDINGS_AT_ONCE: Final = 100


class RedisStore:
    """`ports.QuotaStore` over `line`, with the `instances` that live on the same store.

    `disk` is where the server writes, if it leaves the syncing to us. `embedded` is the
    private server that belongs to it, if any; `run` keeps it up and `close` ends it. `borrower` is
    the hold on another process's, until `close`. `company` wants to be told who is on the way here.
    """

    def __init__(
        self,
        line: Line,
        clock: Clock,
        disk: Disk | None = None,
        embedded: EmbeddedStore | None = None,
        borrower: Borrower | None = None,
    ) -> None:
        self.line = line
        self._clock = clock
        self._disk = disk
        self._embedded = embedded
        self._forgetting = Together(line)
        self.company = disk.company if disk else Company()
        self._in_company = InCompany(self.company)
        self._syncing: dict[str, asyncio.Future[None]] = {}
        self.instances = RedisInstances(line)
        self._borrower = borrower
        self._patience = Patience(line)

    @property
    def embedded_url(self) -> str | None:
        """Where processes of the same user reach the private server; None if there is none."""
        return self._embedded.url if self._embedded else None

    async def reserve(self, demand: Demand, *, anew: bool = False) -> Answer:
        """See `ports.QuotaStore`. A charge that too few replicas have is given back."""
        if demand.fingerprint is not None:
            await self._forgetting.settled(demand.fingerprint)
        if self._disk:
            await self._disk.allows()
        found = await self._asked(demand, anew=anew)
        if found is None or may_change(found, demand.session):
            found = await self._asked_again(demand, anew=anew)
        if self._disk and isinstance(found, Granted):
            self._syncing[demand.reservation] = self._disk.begin()
        return found

    async def _asked(self, demand: Demand, *, anew: bool, waits: bool = True) -> Answer | None:
        try:
            async with self._in_company:
                return await self.line.ask(calls.reserve(demand, anew=anew, waits=waits))
        except StoreTrouble as trouble:
            if was_carried_out(trouble):
                await self._give_back(reservation_for(demand))
            raise

    async def _asked_again(self, demand: Demand, *, anew: bool) -> Answer:
        """Until no other process may have a word to say about the message, or patience ends."""
        for pause_s in self._patience.pauses():
            await asyncio.sleep(pause_s)
            found = await self._asked(demand, anew=anew)
            if found is not None and not may_change(found, demand.session):
                break
        else:
            found = await self._asked(demand, anew=anew, waits=False)
        assert found is not None
        return replace(found, is_contested=True) if isinstance(found, Granted) else found

    async def lasts(self, reservation: Reservation) -> None:
        """See `ports.QuotaStore`. The sync began when the charge was granted.

        A charge that does not get to the disk is given back: nobody was told of it.
        """
        syncing = self._syncing.pop(reservation.id, None)
        if self._disk and syncing:
            try:
                await self._disk.ended(syncing)
            except StoreTrouble:
                await self._give_back(reservation)
                raise

    async def _give_back(self, reservation: Reservation) -> None:
        """A charge that nobody was told of: retries would use up the day's quota with more."""
        with suppress(StoreTrouble):
            await self.line.ask(calls.give_back(reservation, self._clock.now()))

    async def divide(self, whole: Reservation, parts: Sequence[Part]) -> list[Reservation]:
        """See `ports.QuotaStore`."""
        await self.line.ask(calls.divide(whole, parts))
        self._sync_soon()  # the charge is on the disk; were this lost, the whole stays charged
        return parts_of(whole, parts)

    def says_at_once(self) -> bool:
        """See `ports.QuotaStore`."""
        return self.line.says_at_once()

    async def settle(self, reservation: Reservation, verdict: Verdict, now: datetime) -> None:
        """See `ports.QuotaStore`."""
        self._syncing.pop(reservation.id, None)  # nobody waited for it
        await self.line.insist_all((calls.settle(reservation, verdict, now),))
        self._sync_soon()

    async def left(self, reservation: Reservation) -> None:
        """See `ports.QuotaStore`."""
        if reservation.fingerprint is not None:
            now = self._clock.now()
            await self.line.insist(calls.left(reservation, reservation.fingerprint, now))
            self._sync_soon()

    async def heard(self, reservation: Reservation) -> None:
        """See `ports.QuotaStore`."""
        if reservation.fingerprint is not None:
            command = calls.heard(reservation, reservation.fingerprint)
            await self._forgetting.insist(reservation.fingerprint, command)
            self._sync_soon()

    async def attempts(
        self, domain: str, fingerprints: Sequence[str], session: str, now: datetime
    ) -> list[dict[str, Mark]]:
        """See `ports.QuotaStore`. One round trip, but where others have one under way."""
        for fingerprint in fingerprints:
            await self._forgetting.settled(fingerprint)
        commands = [calls.attempts(domain, f, session, now) for f in fingerprints]
        found = await self.line.ask_all(commands)
        for pause_s in self._patience.pauses() if session else ():
            if not any(is_open or marks_may_change(marks, session) for marks, is_open in found):
                break
            await asyncio.sleep(pause_s)
            found = await self.line.ask_all(commands)
        return [marks for marks, _ in found]

    async def standing(self, route: Route, window: Window) -> Standing:
        """See `ports.QuotaStore`."""
        return await self.line.ask(calls.standing(route, window, self._clock.now()))

    async def standings(self, wanted: list[tuple[Route, Window]]) -> list[Standing]:
        """See `ports.QuotaStore`. In pieces, so that reservations come between."""
        now, found = self._clock.now(), list[Standing]()
        for at in range(0, len(wanted), STANDINGS_AT_ONCE):
            some = wanted[at : at + STANDINGS_AT_ONCE]
            found += await self.line.ask_all([calls.standing(r, w, now) for r, w in some])
        return found

    async def start(self, route: RouteId, now: datetime) -> bool:
        """See `ports.QuotaStore`."""
        return await self._changed(calls.start(route, now))

    async def pause(self, route: RouteId, reason: str, now: datetime) -> bool:
        """See `ports.QuotaStore`. Where those who follow cannot be told, they see it later."""
        is_paused = await self.line.ask(calls.pause(route, reason, now))
        with suppress(StoreTrouble):
            await self.line.insist(calls.tell_of_pause(token_hex(8)))
        await self.on_disk()
        return is_paused

    async def resume(self, route: RouteId) -> bool:
        """See `ports.QuotaStore`."""
        return await self._changed(calls.resume(route))

    async def graduate(self, route: RouteId, now: datetime) -> bool:
        """See `ports.QuotaStore`."""
        return await self._changed(calls.graduate(route, now))

    async def restart(self, route: RouteId) -> bool:
        """See `ports.QuotaStore`."""
        return await self._changed(calls.restart(route))

    async def adopt(
        self, route: Route, past: Past, now: datetime, *, replaces: bool, dry: bool
    ) -> Standing | None:
        """See `ports.QuotaStore`."""
        command = calls.adopt(route, past, now, replaces=replaces, dry=dry)
        added = await self.line.ask(command)
        if added is None:
            return None
        window = route.policy.window.at(now)
        held = await self.line.ask(calls.standing(route, window, now))
        return after_adopting(route, held, past, added, now) if dry else held

    async def on_disk(self) -> None:
        """Wait until what the store has answered outlives a power cut. Raises StoreTrouble.

        Of a store of its own that is its own affair.
        """
        if self._disk is not None:
            await self._disk.reached()

    async def ping(self) -> bool:
        """Whether a charge would be taken: it answers in time, is ours and writes. Never raises."""
        with suppress(StoreTrouble):
            await self.line.ask(calls.ping())
            if self._disk is not None:
                await self._disk.reached()
            return True
        return False

    async def run(self, stop: asyncio.Event) -> None:
        """Beat, and keep the embedded server up, until `stop` is set. Run it in a TaskGroup.

        Must start before mail is taken, in the thread that opened the store.
        """
        async with asyncio.TaskGroup() as group:
            group.create_task(self.instances.run(stop))
            if self._embedded is not None:
                group.create_task(self._embedded.run(stop))

    async def close(self) -> None:
        """Close the connections and end the embedded server, within a bounded time."""
        await self.line.close()
        if self._disk is not None:
            await self._disk.close()
        if self._borrower is not None:
            self._borrower.close()
        if self._embedded is not None:
            await self._embedded.stop()

    async def _changed(self, command: Command[bool]) -> bool:
        """What people ask for: on the disk before they are told that it was done."""
        answer = await self.line.ask(command)
        await self.on_disk()
        return answer

    def _sync_soon(self) -> None:
        if self._disk is not None:
            self._disk.soon()
