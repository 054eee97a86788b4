"""One connection to a server, on which conversations follow each other without waiting.

What is said within one turn of the loop goes out in one write, and is answered in the order in
which it was said. Each conversation gets its own answers or none: whoever gives up waiting
leaves a gap that his answers fall into. Deadlines cost no timer each: one looks after all who
wait. Owns the bytes, and knows nothing of what the commands mean; `pool.py` decides who shares a
connection and when it is let go.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection, Sequence
from math import inf
from typing import Any

import hiredis
from redis._parsers.base import BaseParser
from redis.exceptions import ConnectionError as LostConnection
from redis.exceptions import InvalidResponse, RedisError, ResponseError

from relay.store.commands import Word

_Talk = tuple[asyncio.Future[list[Any]], int, float]
"""A conversation: who waits, for how many answers, and until when (by the loop's clock)."""


class Pipe(asyncio.Protocol):
    """Takes the connection of `writer` over from whoever opened it and said who we are."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._loop = asyncio.get_running_loop()
        self._writer = writer  # it closes its transport when it is collected
        self._transport = writer.transport
        self._reader = hiredis.Reader(
            protocolError=InvalidResponse, replyError=BaseParser.parse_error, encoding="utf-8"
        )
        self._talks: deque[_Talk] = deque()
        self._answers: list[Any] = []  # to the first of them, so far
        self._trouble: RedisError | None = None
        self._rings_at = inf
        self._timer: asyncio.TimerHandle | None = None
        self._out: list[bytes] = []
        self._is_retired = False
        self._transport.set_protocol(self)

    @property
    def is_open(self) -> bool:
        """Whether it is good for another conversation, as far as is known."""
        return not (self._is_retired or self._transport.is_closing())

    def begin(
        self, commands: Collection[tuple[Word, ...]], until: float
    ) -> asyncio.Future[list[Any]] | None:
        """Say `commands`: their answers, one each, in order. None where it is closed.

        An error that the server answers stands in the list as a ResponseError. Whatever else
        goes wrong is raised, TimeoutError at `until` (by the loop's clock); the commands may
        then have been carried out, or not.
        """
        if self._is_retired or self._transport.is_closing():
            return None
        packed = [*map(hiredis.pack_command, commands)]  # type: ignore[arg-type]
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out += packed
        done = self._loop.create_future()
        self._talks.append((done, len(packed), until))
        if until < self._rings_at:
            self._ring_at(until)
        return done

    async def converse(self, commands: Sequence[tuple[Word, ...]]) -> list[Any]:
        """As `begin`, without an end; raises LostConnection where it is closed."""
        answers = self.begin(commands, inf)
        if answers is None:
            raise LostConnection("the server has closed the connection")
        return await answers

    def retire(self) -> None:
        """Begin no conversation any more; those under way end, and then the connection does."""
        self._is_retired = True
        self._leave_if_unused()
        for done, _, _ in self._talks:
            done.add_done_callback(self._leave_if_unused)

    def _leave_if_unused(self, _: object = None) -> None:
        if not self._talks:
            self._transport.close()
        elif all(done.done() for done, _, _ in self._talks):
            self._transport.abort()  # nobody waits for what is still to come

    def _flush(self) -> None:
        data, self._out = b"".join(self._out), []
        if not self._transport.is_closing():
            self._transport.write(data)

    def _ring_at(self, until: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._rings_at, self._timer = until, self._loop.call_at(until, self._ring)

    def _ring(self) -> None:
        """Somebody's deadline is over, or was: it is not taken back when an answer comes."""
        now, self._rings_at, self._timer = self._loop.time(), inf, None
        waiting = [(done, until) for done, _, until in self._talks if not done.done()]
        for done, until in waiting:
            if until <= now:
                done.set_exception(TimeoutError())
        later = min((until for _, until in waiting if until > now), default=inf)
        if later < inf:
            self._ring_at(later)

    # What the event loop calls.

    def data_received(self, data: bytes) -> None:
        """Answers, or parts of them."""
        try:
            self._reader.feed(data)
            while (answer := self._reader.gets()) is not False:
                self._take(answer)
        except (RedisError, UnicodeDecodeError) as error:
            self._fail(error)

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is no more."""
        self._fail(LostConnection(f"the connection was lost: {error or 'closed by the server'}"))

    def _take(self, answer: Any) -> None:
        if not self._talks:
            raise InvalidResponse("the server spoke before it was asked")
        done, wanted, _ = self._talks[0]
        self._answers.append(answer)
        if isinstance(answer, RedisError) and not isinstance(answer, ResponseError):
            self._trouble = answer  # no answer to a command, but the state of the server (LOADING)
        if len(self._answers) < wanted:
            return
        self._talks.popleft()
        answers, self._answers = self._answers, []
        trouble, self._trouble = self._trouble, None
        if done.done():
            return
        if trouble is None:
            done.set_result(answers)
        else:
            done.set_exception(trouble)

    def _fail(self, error: Exception) -> None:
        self._is_retired = True
        self._transport.abort()
        if self._timer is not None:
            self._timer.cancel()
        talks, self._talks = self._talks, deque()
        for done, _, _ in talks:
            if not done.done():
                done.set_exception(error)
