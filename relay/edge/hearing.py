"""Rule 3's bookkeeping for one session: which acceptances its client has been seen to hear.

An acceptance is *owed* from the moment its 250 is written. It is heard when a command line
ends that came in after that, or when the client closes its side and everything written has
reached it. It is unheard when the connection is lost in any other way, and when the client
had already closed its side while the upstream was being asked: a client that closes then has
given up, and where it had not (it pipelined all and half-closed), remembering its message a
while longer is the safe mistake. A proxy in between makes the two look alike.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from relay.background import Background
from relay.core.mail import Submission
from relay.core.quota import Reservation
from relay.edge.intake import Intake
from relay.ports import Accepted, Relay

Relaying = Callable[[Submission], Awaitable[Accepted]]
"""`Relay.relay`, or what finishes a split transaction."""


class Hearing:
    """One session's acceptances. `gone` is done when the client closed or the connection broke."""

    def __init__(
        self, relay: Relay, background: Background, intake: Intake, gone: asyncio.Future[None]
    ) -> None:
        self._relay = relay
        self._background = background
        self._intake = intake
        self._gone = gone
        self._owed: list[tuple[int, Reservation]] = []
        self._telling = 0
        self._told = asyncio.Event()
        self._told.set()

    @property
    def is_owed(self) -> bool:
        """Whether the client has not yet been seen to hear of something."""
        return bool(self._owed)

    async def hand_over(self, submission: Submission, relay: Relaying) -> Accepted:
        """Have `submission` relayed, to its end: nothing that the client does cancels it.

        Its reply must be written before anything else is awaited. Raises what `relay` raises.
        """

        def left(_gone: object) -> None:
            self._background.start(self._relay.left(submission))

        self._gone.add_done_callback(left)
        try:
            accepted = await relay(submission)
        finally:
            self._gone.remove_done_callback(left)
        if self._gone.done():
            await asyncio.gather(*map(self._relay.unheard, accepted.receipts))
        else:
            written_at = self._intake.fed_bytes
            self._owed += [(written_at, receipt) for receipt in accepted.receipts]
        return accepted

    def line_came(self) -> None:
        """A command line was read: what was written before it came in has been heard.

        The store is told beside what the line asks for: as long as this session is alive, what
        the store remembers of its messages makes no retry of any other.
        """
        if self._owed:
            taken = self._intake.taken_bytes
            heard = [receipt for written_at, receipt in self._owed if taken > written_at]
            self._owed = [owed for owed in self._owed if taken <= owed[0]]
            for receipt in heard:
                self._telling += 1
                self._told.clear()
                self._background.start(self._tell(receipt))

    async def _tell(self, receipt: Reservation) -> None:
        try:
            await self._relay.heard(receipt)
        finally:
            self._telling -= 1
            if not self._telling:
                self._told.set()

    async def told(self) -> None:
        """Wait until the store was told of all that was heard. Before the session is no more."""
        await self._told.wait()

    async def close(self, *, is_heard: bool) -> None:
        """The session is over; `is_heard` tells of everything that is still owed."""
        owed, self._owed = self._owed, []
        tell = self._relay.heard if is_heard else self._relay.unheard
        await asyncio.gather(*(tell(receipt) for _, receipt in owed))
