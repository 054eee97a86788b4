"""A scripted SMTP server on loopback: an upstream for tests, and their witness.

In a test: `async with Sink() as sink:` then `sink.port`, `sink.script.add("RCPT", refuse(…))`,
`sink.messages`. As a process: `python -m tests.harness.smtp_sink --port P --ledger FILE`
(more with --help). Read `smtp_script.py` for what it can be told to do, `smtp_ledger.py` for
what it writes.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import ssl
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

if __package__ in (None, ""):  # started by its path
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.harness.smtp_ledger import Ledger, Received
from tests.harness.smtp_script import Act, Script, Then
from tests.harness.smtp_session import Session


@dataclass(frozen=True, slots=True)
class Offers:
    """What EHLO answers. `auth` names mechanisms; `size_bytes` None leaves SIZE out."""

    pipelining: bool = True
    eightbitmime: bool = True
    smtputf8: bool = True
    dsn: bool = True
    enhanced: bool = True
    size_bytes: int | None = 50_000_000
    starttls: bool = False
    auth: tuple[str, ...] = ()

    def keywords(self) -> list[str]:
        """The lines after the first one."""
        table = {
            "PIPELINING": self.pipelining,
            "8BITMIME": self.eightbitmime,
            "SMTPUTF8": self.smtputf8,
            "DSN": self.dsn,
            "ENHANCEDSTATUSCODES": self.enhanced,
            f"SIZE {self.size_bytes}": self.size_bytes is not None,
            "STARTTLS": self.starttls,
            f"AUTH {' '.join(self.auth)}": bool(self.auth),
        }
        return [line for line, offered in table.items() if offered]


class Sink:
    """The server. `commands` is every command line as (connection, line), in order.

    `ahead` is, for each of them, its verb and how many bytes had come in behind it already.
    """

    def __init__(
        self,
        offers: Offers = Offers(),
        *,
        tls: ssl.SSLContext | None = None,
        implicit_tls: bool = False,
        users: dict[str, str] | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        self.offers = offers
        self.tls = tls
        if tls:
            tls.sni_callback = lambda _, name, __: self.server_names.add(name)
        self.implicit_tls = implicit_tls
        self.users = users or {}
        self.ledger = ledger or Ledger()
        self.script = Script()
        self.commands: list[tuple[int, bytes]] = []
        self.ahead: list[tuple[str, int]] = []
        self.tls_versions: set[str] = set()
        self.server_names: set[str | None] = set()
        self.connections = 0
        self.open = 0
        self.most_open = 0
        self.port = 0
        self._server: asyncio.Server | None = None
        self._tasks: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    @property
    def messages(self) -> list[Received]:
        """What was taken, in order."""
        return self.ledger.messages

    def verbs(self, connection: int | None = None) -> list[str]:
        """The verbs that came in, of one connection (from 1) or of all."""
        lines = [line for number, line in self.commands if connection in (None, number)]
        return [line.split(b" ")[0].upper().decode("ascii", "replace") for line in lines]

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen. Raises OSError when the port is taken."""
        tls = self.tls if self.implicit_tls else None
        self._server = await asyncio.start_server(
            self._serve, host, port, ssl=tls, limit=1 << 20, backlog=500
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and drop every connection."""
        if self._server:
            self._server.close()
        await self.drop()

    async def drop(self) -> None:
        """Drop every connection, and go on listening."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def say(self, unasked: bytes, *, close: bool = False) -> None:
        """Send `unasked` over every open connection, perhaps close it, and let that arrive."""
        writers = list(self._tasks.values())
        for writer in writers:
            writer.write(unasked)
            await writer.drain()
            if close:
                writer.close()
        await asyncio.sleep(0.05)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks[task] = writer
        self.connections += 1
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            await Session(self, self.connections, reader, writer).run()
        except (OSError, EOFError, asyncio.CancelledError):
            pass  # the client is gone, or we are
        finally:
            writer.transport.abort()
            self.open -= 1
            del self._tasks[task]


def _acts(given: Iterable[str]) -> Iterable[tuple[str, Act]]:
    table = {"reset": Then.RESET, "close": Then.CLOSE, "stall": Then.STALL}
    for item in given:
        verb, _, what = item.partition("=")
        if what in table:
            yield verb, Act(b"", table[what])
        elif what.startswith("delay:"):
            yield verb, Act(delay_s=float(what.removeprefix("delay:")))
        else:
            yield verb, Act(what.encode() + b"\r\n")


_SWITCHES = {
    "PIPELINING": "pipelining",
    "8BITMIME": "eightbitmime",
    "SMTPUTF8": "smtputf8",
    "DSN": "dsn",
    "ENHANCEDSTATUSCODES": "enhanced",
}


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="smtp_sink", description="a scripted SMTP server")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: a free one, which is printed")
    parser.add_argument("--ledger", type=Path, help="append one JSON line per message taken")
    parser.add_argument("--store", type=Path, help="keep each message as a file in here")
    parser.add_argument("--without", action="append", default=[], choices=_SWITCHES)
    parser.add_argument("--size", type=int, default=50_000_000, help="the SIZE offered, in bytes")
    parser.add_argument("--certificate", type=Path)
    parser.add_argument("--key", type=Path)
    parser.add_argument("--tls", choices=["none", "starttls", "implicit"], default="none")
    parser.add_argument("--user", action="append", default=[], help="name:password, for AUTH")
    parser.add_argument(
        "--act",
        action="append",
        default=[],
        metavar="VERB=WHAT",
        help='always: a reply ("RCPT=550 5.1.1 no"), delay:SECONDS, reset, close or stall',
    )
    return parser


def _sink(given: argparse.Namespace) -> Sink:
    tls = None
    if given.tls != "none":
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(given.certificate, given.key)
    users = dict(user.split(":", 1) for user in given.user)
    offers = Offers(
        **{_SWITCHES[keyword]: False for keyword in given.without},
        size_bytes=given.size,
        starttls=given.tls == "starttls",
        auth=("PLAIN", "LOGIN") if users else (),
    )
    ledger = Ledger(given.ledger, given.store)
    sink = Sink(offers, tls=tls, implicit_tls=given.tls == "implicit", users=users, ledger=ledger)
    for verb, act in _acts(given.act):
        sink.script.add(verb, act)
    return sink


async def _main(given: argparse.Namespace) -> None:
    sink = _sink(given)
    await sink.start(given.host, given.port)
    print(f"listening on {given.host}:{sink.port}", flush=True)
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await ended.wait()
    await sink.stop()


if __name__ == "__main__":
    asyncio.run(_main(_arguments().parse_args()))
