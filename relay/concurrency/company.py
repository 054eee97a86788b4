"""Company on the way to the store: messages that come at once are charged together.

A conversation with the store, a sync and a turn of the loop cost ten messages little more than
one. So those of a crowd wait for each other, a few milliseconds at most, where the processor is
what they would wait for anyway; whoever is alone never waits. PostgreSQL's `commit_delay` and
`commit_siblings` are of this kind. Knows nothing of SMTP, quota or disks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

FRESH_S: Final = 0.016
"""So long, or up to twice as long, somebody who has set out is expected."""

PATIENCE_S: Final = 0.008
"""How long the first of a crowd waits for the others, at most."""


class Company:
    """Counts who has set out a moment ago and has not arrived, and who is `charging` now.

    Who takes longer is not expected any more: a client that is slow, or idle within its
    transaction, holds nobody up. Eras of FRESH_S stand for the time of each.
    """

    def __init__(self, time: Callable[[], float] | None = None) -> None:
        self._time = time or asyncio.get_running_loop().time
        self.charging = 0  # see `InCompany`
        self._era = 0
        self._ends_s = 0.0
        self._young = 0  # of this era
        self._old = 0  # of the one before it

    def set_out(self) -> int:
        """One more is on its way; `arrived` is told the number that this gives."""
        self._turn()
        self._young += 1
        return self._era

    def arrived(self, era: int) -> None:
        """One that set out is here, or will not come."""
        if era == self._era:
            self._young -= 1
        elif era == self._era - 1:
            self._old -= 1

    def coming(self) -> int:
        """How many are expected now."""
        self._turn()
        return self._young + self._old

    def _turn(self) -> None:
        now_s = self._time()
        if now_s < self._ends_s:
            return
        is_next = now_s < self._ends_s + FRESH_S
        self._old = self._young if is_next else 0
        self._young = 0
        self._era += 1 if is_next else 2
        self._ends_s = now_s + FRESH_S


class Meeting:
    """Decides when those who wait in one place go on.

    At once; but where the last ones were several, and more are `coming`, as soon as nobody is,
    and after PATIENCE_S in any case. `go` lets all of them go, and says how many it takes for
    the crowd. A crowd that was waited for in vain is none.
    """

    def __init__(self, go: Callable[[], int], coming: Callable[[], int]) -> None:
        self._go = go
        self._coming = coming
        self._timer: asyncio.TimerHandle | None = None
        self._is_crowded = False

    def came(self) -> None:
        """One more waits."""
        if not (self._is_crowded and self._coming()):
            self.end()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(PATIENCE_S, self.end)

    def end(self) -> None:
        """Let them go."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._is_crowded = self._go() > 1


class InCompany:
    """`async with` it, whoever charges: those of a crowd begin together."""

    def __init__(self, company: Company) -> None:
        self._company = company
        self._meeting = Meeting(self._go_on, company.coming)
        self._waiting: list[asyncio.Future[None]] = []

    async def __aenter__(self) -> None:
        self._company.charging += 1
        mine = asyncio.get_running_loop().create_future()
        self._waiting.append(mine)
        self._meeting.came()
        try:
            await mine
        except BaseException:
            self._company.charging -= 1
            raise

    async def __aexit__(self, *_: object) -> None:
        self._company.charging -= 1

    def _go_on(self) -> int:
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            if not one.done():
                one.set_result(None)
        return self._company.charging
