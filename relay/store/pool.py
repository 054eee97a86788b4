"""Connections to one server, each used by one caller at a time.

redis-py's `Connection` speaks the protocol; its client and its pools are not used, because
after a cancellation or a timeout they may keep a slot for ever, and because of what they
repeat on their own. The promise here: whatever ends a conversation early closes its
connection, so that no answer is ever read by the wrong caller; and nothing is sent twice.
There is no deadline of its own beyond connecting, and no bound on how many talk at once:
callers bring both (`line.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from redis.asyncio.connection import AbstractConnection, Connection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from relay.store.commands import Word
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
    """As many connections to the server at `url` as talk at once; `timeout_s` bounds connecting.

    `url` is redis://, rediss:// (`?ssl_ca_certs=FILE` names the authorities) or unix://, with
    user and password percent-encoded. Raises StoreUnusable for one that makes no sense.
    While `life` is set, a new connection is used only if the server is still in that life:
    a server that was started again may have become somebody else.
    """

    def __init__(self, url: str, timeout_s: float) -> None:
        self.life: str | None = None
        self._idle: list[AbstractConnection] = []
        self._is_closed = False
        try:
            self._options: dict[str, Any] = {**parse_url(url)}
            self._kind = self._options.pop("connection_class", Connection)
            self._options = {k: v for k, v in self._options.items() if k not in _OURS}
            self._options |= _fixed_options(timeout_s)
            self._idle.append(self._kind(**self._options))
        except (RedisError, TypeError, ValueError) as error:
            raise StoreUnusable(f"the URL of the store cannot be used: {error}") from error

    async def converse(self, commands: Sequence[tuple[Word, ...]]) -> list[Any]:
        """Send `commands` in one go and read one answer each, in order.

        An error that the server answers stands in the list as a ResponseError. Raises
        whatever else goes wrong; the commands may then have been carried out, or not.
        """
        connection = self._idle.pop() if self._idle else self._kind(**self._options)
        try:
            await self._ready(connection)
            return await _converse(connection, commands)
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        finally:
            if self._is_closed:
                await connection.disconnect(nowait=True)
            self._idle.append(connection)

    async def _ready(self, connection: AbstractConnection) -> None:
        # Readable before anything was asked: closed by the server, or out of step.
        if connection.is_connected and not await connection.can_read():
            return
        await connection.disconnect(nowait=True)
        await connection.connect()  # type: ignore[no-untyped-call]
        if self.life is not None:
            (answer,) = await _converse(connection, [LIFE])
            if life_in(answer) != self.life:
                raise Restarted("the server was started again")

    async def close(self) -> None:
        """Hang up for good: conversations under way end, and then their connections do."""
        self._is_closed = True
        await self.hang_up()

    async def hang_up(self) -> None:
        """Close the connections that nobody uses; they are opened again when needed."""
        for connection in tuple(self._idle):
            await connection.disconnect(nowait=True)


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


async def _converse(
    connection: AbstractConnection, commands: Sequence[tuple[Word, ...]]
) -> list[Any]:
    await connection.send_packed_command(connection.pack_commands(commands), check_health=False)
    return [await _answer(connection) for _ in commands]


async def _answer(connection: AbstractConnection) -> Any:
    try:
        return await connection.read_response()
    except ResponseError as error:
        return error
