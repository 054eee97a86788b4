"""Connections to one server: one that is shared, or as many as there are conversations.

redis-py's `Connection` opens a connection and says who we are; from there on it is a `Pipe`.
Its client and its pools are not used, because after a cancellation or a timeout they may keep a
slot for ever, and because of what they repeat on their own. The promise here: no answer is ever
read by the wrong caller, and nothing is sent twice. There is no deadline of its own beyond
connecting, and no bound on how many talk at once: callers bring both (`line.py`, `node.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import Any, Final

from redis.asyncio.connection import AbstractConnection, Connection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from relay.store.commands import Word
from relay.store.connections.pipe import Pipe
from relay.store.troubles import StoreUnusable

_OURS: Final = frozenset({"timeout", "max_connections", "health_check_interval"})
"""Options of a URL that would be redis-py's pool's business; this one has its own."""


LIFE: Final[tuple[Word, ...]] = ("INFO", "server")
"""What a server is asked to know whether it is still the process that it was."""


class Restarted(Exception):
    """The server is not the process that it was. Nothing was said to it."""


def life_in(answer: Any) -> str:
    """The id of the process that gave `answer` to LIFE; empty if it did not say."""
    lines = str(answer).splitlines()
    return next((line[7:] for line in lines if line.startswith("run_id:")), "")


class Pool:
    """Connections to the server at `url`; `timeout_s` bounds connecting.

    `url` is redis://, rediss:// (`?ssl_ca_certs=FILE` names the authorities) or unix://, with
    user and password percent-encoded. Raises StoreUnusable for one that makes no sense.
    `apart`: every conversation has a connection to itself, for commands that hold up whatever
    is behind them (WAIT). While `life` is set, a new connection is used only if the server is
    still in that life: a server that was started again may have become somebody else.
    """

    def __init__(self, url: str, timeout_s: float, *, apart: bool = False) -> None:
        self.life: str | None = None
        self._apart = apart
        self._pipes: list[Pipe] = []
        self._connecting = asyncio.Lock()
        self._is_closed = False
        try:
            self._options: dict[str, Any] = {**parse_url(url)}
            self._kind = self._options.pop("connection_class", Connection)
            self._options = {k: v for k, v in self._options.items() if k not in _OURS}
            self._options |= _fixed_options(timeout_s)
            self.dialler()
        except (RedisError, TypeError, ValueError) as error:
            raise StoreUnusable(f"the URL of the store cannot be used: {error}") from error

    def dialler(self) -> AbstractConnection:
        """What opens a connection as the URL says, not connected yet."""
        dialler: AbstractConnection = self._kind(**self._options)
        return dialler

    async def converse(self, commands: Sequence[tuple[Word, ...]]) -> list[Any]:
        """Send `commands` in one go and wait for one answer each, in order.

        An error that the server answers stands in the list as a ResponseError. Raises
        whatever else goes wrong; the commands may then have been carried out, or not.
        """
        if self._apart:
            return await self._converse_apart(commands)
        pipe = self._open_pipe()
        if pipe is None:
            async with self._connecting:  # whoever comes meanwhile uses what the first one opened
                pipe = self._open_pipe() or await self._connect()
                self._pipes = [pipe]
        try:
            return await pipe.converse(commands)
        finally:
            if self._is_closed:
                self.hang_up()

    def begin(
        self, commands: Collection[tuple[Word, ...]], until: float
    ) -> asyncio.Future[list[Any]] | None:
        """As `converse`, with a deadline, where there is a connection to do so at once; else None.

        `until` is by the loop's clock; TimeoutError is raised then.
        """
        if self._apart or not self._pipes:
            return None
        return self._pipes[-1].begin(commands, until)

    async def _converse_apart(self, commands: Sequence[tuple[Word, ...]]) -> list[Any]:
        pipe = self._open_pipe() or await self._connect()
        if pipe in self._pipes:
            self._pipes.remove(pipe)
        try:
            answers = await pipe.converse(commands)
        except BaseException:
            pipe.retire()
            raise
        self._pipes.append(pipe)
        if self._is_closed:
            self.hang_up()
        return answers

    def _open_pipe(self) -> Pipe | None:
        self._pipes = [pipe for pipe in self._pipes if pipe.is_open]
        return self._pipes[-1] if self._pipes else None

    async def _connect(self) -> Pipe:
        dialler = self.dialler()
        try:
            await dialler.connect()  # type: ignore[no-untyped-call]
            pipe = _taken_over(dialler)
        except BaseException:
            await dialler.disconnect(nowait=True)
            raise
        if self.life is not None:
            await self._check_life(pipe)
        return pipe

    async def _check_life(self, pipe: Pipe) -> None:
        is_same = False
        try:
            (answer,) = await pipe.converse([LIFE])
            is_same = life_in(answer) == self.life
        finally:
            if not is_same:
                pipe.retire()
        if not is_same:
            raise Restarted("the server was started again")

    async def close(self) -> None:
        """Hang up for good: conversations under way end, and then their connections do."""
        self._is_closed = True
        self.hang_up()

    def hang_up(self) -> None:
        """Begin no conversation on the connections there are; others are opened when needed."""
        pipes, self._pipes = self._pipes, []
        for pipe in pipes:
            pipe.retire()


def _taken_over(dialler: AbstractConnection) -> Pipe:
    """From here on the connection is ours: redis-py forgets it, and cannot close it."""
    writer = dialler._writer  # noqa: SLF001  there is no other way to it
    assert writer is not None
    dialler._reader = dialler._writer = None  # noqa: SLF001
    return Pipe(writer)


def _fixed_options(timeout_s: float) -> dict[str, Any]:
    """What a URL may not change.

    `socket_timeout` is None because every call has one deadline over all of its steps;
    redis-py's own would start a task for each send and begin anew at each read.
    """
    return {
        "decode_responses": True,
        "driver_info": None,
        "health_check_interval": 0,
        "protocol": 2,
        "retry": Retry(NoBackoff(), 0),
        "retry_on_error": [],
        "retry_on_timeout": False,
        "socket_connect_timeout": timeout_s,
        "socket_timeout": None,
    }
