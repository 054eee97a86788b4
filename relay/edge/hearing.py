"""Rule 3's bookkeeping for one session: which acceptances its client has been seen to hear.

The answer is written when the message is settled; or beside that (`Hears`), once that has been sent
to the store, which reads what it was sent even when this process is killed.

An acceptance is *owed* from the moment its 250 is written. It is heard when a command line
ends that came in after that, or when the client closes its side and everything written has
reached it. It is unheard when the connection is lost in any other way, and when the client
had already closed its side while the upstream was being asked: a client that closes then has
given up, and where it had not (it pipelined all and half-closed), remembering its message a
while longer is the safe mistake. A proxy in between makes the two look alike.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from relay.concurrency.background import Background
from relay.core.mail.message import Submission
from relay.core.quota.reservation import Reservation
from relay.edge.intake import Intake
from relay.ports.relay import Accepted, Hears, Relay

log = logging.getLogger(__name__)

Relaying = Callable[[Submission, Hears], Awaitable[Accepted]]
"""`Relay.relay`, or what finishes a split transaction."""


class Hearing:
    """One session's acceptances. `gone` is done when the client closed or the connection broke.

    `owed`: of what the client has not yet been seen to hear, the oldest first, each with the
    count of bytes that had come in when it was written.
    """

    def __init__(
        self, relay: Relay, background: Background, intake: Intake, gone: asyncio.Future[None]
    ) -> None:
        self._relay = relay
        self._background = background
        self._intake = intake
        self._gone = gone
        self.owed: list[tuple[int, Reservation]] = []
        self._telling: list[asyncio.Task[None]] = []

    async def hand_over(self, submission: Submission, relay: Relaying, say: Hears) -> None:
        """Have `submission` relayed, to its end: nothing that the client does cancels it.

        `say` writes the answer. Raises what `relay` raises, and then nothing was said.
        """

        def left(_gone: object) -> None:
            self._background.start(self._relay.left(submission))

        def said(accepted: Accepted) -> None:
            self._gone.remove_done_callback(left)
            say(accepted)
            written_at = self._intake.fed_bytes
            self.owed += [(written_at, receipt) for receipt in accepted.receipts]

        self._gone.add_done_callback(left)
        answer = _Answer(said, self._gone)
        try:
            accepted = await relay(submission, answer.soon)
        except Exception:
            if not answer.is_said:
                raise
            log.exception("what followed an answer failed")
        else:
            if not answer.is_said and self._gone.done():
                await asyncio.gather(*map(self._relay.unheard, accepted.receipts))
                say(accepted)
            elif not answer.is_said:
                said(accepted)
        finally:
            answer.drop()
            self._gone.remove_done_callback(left)

    def line_came(self) -> None:
        """A command line was read: what was written before it came in has been heard.

        The store is told beside what the line asks for: as long as this session is alive, what
        the store remembers of its messages makes no retry of any other.
        """
        while self.owed and self.owed[0][0] < self._intake.taken_bytes:
            _, receipt = self.owed.pop(0)
            self._telling = [task for task in self._telling if not task.done()]
            self._telling.append(self._background.start(self._relay.heard(receipt)))

    async def told(self) -> None:
        """Wait until the store was told of all that was heard. Before the session is no more."""
        if self._telling:
            await asyncio.wait(self._telling)

    async def close(self, *, is_heard: bool) -> None:
        """The session is over; `is_heard` tells of everything that is still owed."""
        owed, self.owed = self.owed, []
        tell = self._relay.heard if is_heard else self._relay.unheard
        await asyncio.gather(*(tell(receipt) for _, receipt in owed))


class _Answer:
    """Says once that a message was taken, unless the client is `gone`."""

    __slots__ = ("_gone", "_loop", "_say", "_turn", "is_said")

    def __init__(self, say: Hears, gone: asyncio.Future[None]) -> None:
        self._say = say
        self._gone = gone
        self._loop = asyncio.get_running_loop()
        self._turn: asyncio.Handle | None = None
        self.is_said = False

    def soon(self, accepted: Accepted) -> None:
        """Say it two turns of the loop on: what is asked of the store now goes out in the next."""
        self._turn = self._loop.call_soon(self._next, accepted)

    def drop(self) -> None:
        """What was not said is not said any more."""
        if self._turn is not None:
            self._turn.cancel()

    def _next(self, accepted: Accepted) -> None:
        self._turn = self._loop.call_soon(self._now, accepted)

    def _now(self, accepted: Accepted) -> None:
        if not self._gone.done():
            self.is_said = True
            self._say(accepted)
