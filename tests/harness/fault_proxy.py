"""A TCP proxy on loopback that does to bytes what networks do, and counts what passes.

Each connection gets a `Fault` (none by default). `cut_network` holds every byte back, of old
and new connections, until `heal`: as TCP does over a broken path, it comes late and in order.
Knows nothing of the protocols that it carries.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

CHUNK_BYTES: Final = 65_536


class Deed(StrEnum):
    """What happens when the time has come."""

    NOTHING = "nothing"
    CLOSE = "close"
    RESET = "reset"
    STALL = "stall"
    DELAY = "delay"
    CORRUPT = "corrupt"


@dataclass(frozen=True, slots=True)
class Fault:
    """`deed` after `after_bytes` in one direction; `upwards` is from client to server.

    STALL: nothing more passes in that direction. DELAY: all of it waits `delay_s`, once.
    CORRUPT: the next byte gets its highest bit.
    """

    deed: Deed = Deed.NOTHING
    after_bytes: int = 0
    upwards: bool = True
    delay_s: float = 0.5


Plan = Callable[[int], Fault]
"""The fault of the connection with that number, from 1."""


class FaultProxy:
    """Listens on `port`; `target` is a port of loopback, or the path of a Unix socket.

    `connections` counts those that were made, `bytes_up` what clients have sent.
    """

    def __init__(self, target: int | str, plan: Plan = lambda _: Fault()) -> None:
        self.plan = plan
        self.connections = 0
        self.bytes_up = 0
        self._target = target
        self._open: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._passing = asyncio.Event()
        self._passing.set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server: asyncio.Server = self._run(self._listen())
        self.port = int(self._server.sockets[0].getsockname()[1])

    @property
    def url(self) -> str:
        """For `upstreams:` in relay.yaml."""
        return f"smtp://127.0.0.1:{self.port}"

    def cut_network(self) -> None:
        """From now on nothing passes; connections stand, and new ones seem to."""
        self._loop.call_soon_threadsafe(self._passing.clear)

    def heal(self) -> None:
        """What was held back passes now."""
        self._loop.call_soon_threadsafe(self._passing.set)

    def drop(self) -> None:
        """Reset every connection."""
        self._run(self._drop())

    def end(self) -> None:
        """For finalizers."""
        self._loop.call_soon_threadsafe(self._server.close)
        self.drop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=500)

    async def _drop(self) -> None:
        tasks = list(self._open)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._open.add(task)
        self.connections += 1
        fault = self.plan(self.connections)
        ends = [writer]
        try:
            await self._passing.wait()
            further, onwards = await self._connect()
            ends.append(onwards)
            await self._between((reader, writer), (further, onwards), fault)
        except EOFError:
            pass
        except (OSError, asyncio.CancelledError):
            for end in ends:
                _reset(end)
        finally:
            for end in ends:
                end.close()
            self._open.discard(task)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._target, str):
            return await asyncio.open_unix_connection(self._target)
        return await asyncio.open_connection("127.0.0.1", self._target)

    async def _between(
        self,
        near: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        far: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        fault: Fault,
    ) -> None:
        none = Fault()
        up = self._carry(near[0], far[1], fault if fault.upwards else none, counts=True)
        down = self._carry(far[0], near[1], none if fault.upwards else fault)
        ways = [asyncio.create_task(up), asyncio.create_task(down)]
        try:
            done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_EXCEPTION)
            for way in done:
                way.result()
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _carry(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        fault: Fault,
        *,
        counts: bool = False,
    ) -> None:
        """One direction, up to its end. Raises OSError where the fault ends the connection."""
        passed = 0
        while data := await reader.read(CHUNK_BYTES):
            self.bytes_up += len(data) * counts
            await self._passing.wait()
            if fault.deed is not Deed.NOTHING and passed + len(data) > fault.after_bytes:
                head, data = data[: fault.after_bytes - passed], data[fault.after_bytes - passed :]
                await _pass_on(writer, head)
                data = await _commit(fault, data)
                fault, passed = Fault(), 0
            passed += len(data)
            await _pass_on(writer, data)
        with suppress(OSError, RuntimeError):
            writer.write_eof()


async def _commit(fault: Fault, data: bytes) -> bytes:
    """Do the deed, and give what passes then."""
    match fault.deed:
        case Deed.CLOSE:
            raise EOFError
        case Deed.RESET:
            raise ConnectionResetError
        case Deed.STALL:
            await asyncio.Event().wait()
        case Deed.DELAY:
            await asyncio.sleep(fault.delay_s)
        case Deed.CORRUPT:
            return bytes([data[0] | 0x80]) + data[1:]
    return data


async def _pass_on(writer: asyncio.StreamWriter, data: bytes) -> None:
    if data:
        writer.write(data)
        await writer.drain()


def _reset(end: asyncio.StreamWriter) -> None:
    connection = end.get_extra_info("socket")
    if connection is not None and connection.family != socket.AF_UNIX:
        with suppress(OSError):
            linger = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
