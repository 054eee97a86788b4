"""One connection to a server, on which conversations follow each other without waiting.

What is said within one turn of the loop goes out in one write, and is answered in the order in
which it was said. Each conversation gets its own answers or none: whoever gives up waiting
leaves a gap that his answers fall into. Owns the bytes, and knows nothing of deadlines or of
what the commands mean; `pool.py` decides who shares a connection and when it is let go.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import hiredis
from redis._parsers.base import BaseParser
from redis.exceptions import ConnectionError as LostConnection
from redis.exceptions import InvalidResponse, RedisError, ResponseError

from relay.store.commands import Word


@dataclass(slots=True)
class _Talk:
    """A conversation: `wanted` answers are to come before it is `done`."""

    wanted: int
    done: asyncio.Future[list[Any]]
    answers: list[Any] = field(default_factory=list)


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
        self._out: list[bytes] = []
        self._is_retired = False
        self._transport.set_protocol(self)

    @property
    def is_open(self) -> bool:
        """Whether it is good for another conversation, as far as is known."""
        return not (self._is_retired or self._transport.is_closing())

    async def converse(self, commands: Sequence[tuple[Word, ...]]) -> list[Any]:
        """Send `commands` and wait for one answer each, in order. Needs a deadline.

        An error that the server answers stands in the list as a ResponseError. Raises whatever
        else goes wrong; the commands may then have been carried out, or not.
        """
        if self._transport.is_closing():
            raise LostConnection("the server has closed the connection")
        packed = [hiredis.pack_command(words) for words in commands]  # type: ignore[arg-type]
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out += packed
        talk = _Talk(len(commands), self._loop.create_future())
        self._talks.append(talk)
        try:
            return await talk.done
        finally:
            self._leave_if_unused()

    def retire(self) -> None:
        """Begin no conversation any more; those under way end, and then the connection does."""
        self._is_retired = True
        self._leave_if_unused()

    def _leave_if_unused(self) -> None:
        if not self._is_retired:
            return
        if not self._talks:
            self._transport.close()
        elif all(talk.done.done() for talk in self._talks):
            self._transport.abort()  # nobody waits for what is still to come

    def _flush(self) -> None:
        data, self._out = b"".join(self._out), []
        if not self._transport.is_closing():
            self._transport.write(data)

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
        talk = self._talks[0]
        talk.answers.append(answer)
        if len(talk.answers) < talk.wanted:
            return
        self._talks.popleft()
        if not talk.done.done():
            _end(talk)

    def _fail(self, error: Exception) -> None:
        self._is_retired = True
        self._transport.abort()
        talks, self._talks = self._talks, deque()
        for talk in talks:
            if not talk.done.done():
                talk.done.set_exception(error)


def _end(talk: _Talk) -> None:
    """Some errors are no answer to a command, but the state of the server (LOADING, NOAUTH)."""
    for answer in talk.answers:
        if isinstance(answer, RedisError) and not isinstance(answer, ResponseError):
            talk.done.set_exception(answer)
            return
    talk.done.set_result(talk.answers)
