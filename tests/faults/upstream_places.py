"""An upstream of its own for every cell of the matrix, all in one thread."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Coroutine, Sequence
from typing import Any

from tests.faults.upstream_cells import Cell
from tests.harness.certs import Authority
from tests.harness.ports import free_port
from tests.harness.smtp_sink import Sink

USER, PASSWORD = "relay", "s3cret"
TIMEOUT_S = 2.5


class Place:
    """The upstream of one cell, and the domain that uses it."""

    def __init__(self, number: int, cell: Cell, tls: ssl.SSLContext) -> None:
        self.cell = cell
        self.name = f"cell{number:03d}"
        self.domain = f"{self.name}.example"
        self.port = free_port()
        users = {USER: PASSWORD} if cell.offers.auth else None
        context = tls if cell.offers.starttls else None
        self.sink = Sink(cell.offers, tls=context, users=users)
        self._deaf: list[socket.socket] = []

    @property
    def config(self) -> dict[str, Any]:
        """Its entry under `upstreams:`."""
        scheme = "smtp+starttls" if self.cell.offers.starttls else "smtp"
        login = f"{USER}:{PASSWORD}@" if self.cell.offers.auth else ""
        timeouts = dict.fromkeys(("connect", "command", "data", "final"), f"{TIMEOUT_S}s")
        entry = {"url": f"{scheme}://{login}127.0.0.1:{self.port}", "timeouts": timeouts}
        if self.cell.verb == "QUIT":
            entry["pool"] = {"messages_per_connection": 1}
        return entry | ({"verify": False} if self.cell.offers.starttls else {})

    async def open(self) -> None:
        """As it should be."""
        for each in self._deaf:
            each.close()
        await self.sink.start(port=self.port)

    async def misbehave(self) -> None:
        """As the cell has it; no connection from before is left."""
        await self.sink.drop()
        if self.cell.verb == "TCP":
            await self._close_down()
        else:
            self.sink.script.add(self.cell.verb, self.cell.act)

    async def _close_down(self) -> None:
        await self.sink.stop()
        if self.cell.failure == "stall":  # a full backlog: the kernel drops every SYN
            listener = socket.create_server(("127.0.0.1", self.port), backlog=0)
            self._deaf = [listener]
            for _ in range(3):
                filling = socket.socket()
                filling.setblocking(False)
                filling.connect_ex(("127.0.0.1", self.port))
                self._deaf.append(filling)

    async def recover(self) -> None:
        """As it should be again."""
        self.sink.script.clear()
        await self.sink.drop()
        if self.cell.verb == "TCP":
            await self.open()

    async def close(self) -> None:
        await self.sink.stop()


class Places:
    """All of them. `close` ends the thread."""

    def __init__(self, cells: Sequence[Cell], authority: Authority) -> None:
        issued = authority.issue("upstreams")
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(issued.certificate, issued.key)
        self.all = [Place(number, cell, tls) for number, cell in enumerate(cells)]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def each(self, what: str) -> None:
        """Call the method `what` of every place."""
        self._run(self._gather(what))

    async def _gather(self, what: str) -> None:
        await asyncio.gather(*(getattr(place, what)() for place in self.all))

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def close(self) -> None:
        """For finalizers."""
        self.each("close")
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
