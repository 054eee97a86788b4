"""What a deferral costs: a route at its cap, and clients that come back all the same.

    python -m bench.deferrals

One relay, one worker, its embedded store; 20 clients that send MAIL, RCPT and DATA at once, as
Postfix does, and hear 451 at RCPT. It is what most attempts at a warming domain are, where
somebody has more to send than the day allows: see `bench.simulation`.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench.alone import CONFIG, DOMAIN, RELAY, ROOT, SINK, cpu_s
from bench.wire import RECIPIENT, program
from bench.workers import family, wait_until_ready
from tests.harness.processes import Child

SESSIONS, COUNT, ROUNDS = 20, 4000, 3
ANSWER_S = 30.0
POLICY = """
description: A cap that the first message uses up
ramp: {advance: calendar-days, tiers: [{from: 0, cap: 1}]}
"""
HEAD = f"MAIL FROM:<a@{DOMAIN}>\r\nRCPT TO:<{RECIPIENT}>\r\nDATA\r\n".encode()
CONTENT = f"From: a@{DOMAIN}\r\nSubject: the one that may go\r\n\r\n.\r\n".encode()


@dataclass(frozen=True, slots=True)
class Spent:
    """CPU in µs for one attempt: of the relay, and of its store with all that is about it."""

    relay_us: float
    store_us: float
    rate_a_s: float


class Client:
    """One connection to the relay."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def connected(cls) -> Client:
        """Greeted, and ready for MAIL."""
        client = cls(*await asyncio.open_connection("127.0.0.1", RELAY))
        await client.hears(220)
        await client.says(b"EHLO client.acme.example\r\n", 250)
        return client

    async def says(self, what: bytes, *codes: int) -> None:
        """Say `what` in one write, and hear an answer of each of `codes`, in turn."""
        self._writer.write(what)
        for code in codes:
            await self.hears(code)

    async def hears(self, code: int) -> None:
        """Raises AssertionError at another answer, TimeoutError at none."""
        async with asyncio.timeout(ANSWER_S):
            while (line := await self._reader.readline())[3:4] == b"-":
                pass
        assert line[:3] == b"%d" % code, line

    async def attempt(self) -> None:
        """One message that is deferred at RCPT; DATA ends its transaction."""
        await self.says(HEAD, 250, 451, 554)

    async def leave(self) -> None:
        """QUIT, and close."""
        await self.says(b"QUIT\r\n", 221)
        self._writer.close()


async def use_up() -> None:
    """Send the one message that the cap has room for."""
    client = await Client.connected()
    await client.says(HEAD, 250, 250, 354)
    await client.says(CONTENT, 250)
    await client.leave()


async def attempts(count: int, *, anew: bool) -> None:
    """`count` of them over SESSIONS connections at a time; `anew`: one for each attempt."""

    async def some() -> None:
        client = None if anew else await Client.connected()
        for _ in range(count // SESSIONS):
            one = client or await Client.connected()
            await one.attempt()
            if client is None:
                await one.leave()

    async with asyncio.TaskGroup() as group:
        for _ in range(SESSIONS):
            group.create_task(some())


def measured(relay: int, *, anew: bool) -> Spent:
    """COUNT attempts at the relay whose process is `relay`."""
    children = family(relay)
    before = {pid: cpu_s(pid) for pid in children}
    began = time.perf_counter()
    asyncio.run(attempts(COUNT, anew=anew))
    took_s = time.perf_counter() - began
    spent = {pid: (cpu_s(pid) - before[pid]) / COUNT * 1e6 for pid in children}
    return Spent(spent.pop(relay), sum(spent.values()), COUNT / took_s)


def show(home: Path) -> None:
    command = [sys.executable, "-m", "relay", "serve", "--config", str(home / "relay.yaml")]
    relay = subprocess.Popen(command, cwd=ROOT)
    try:
        wait_until_ready()
        asyncio.run(use_up())
        print(f"{'a connection':<16}{'relay, µs':>10}{'store, µs':>10}{'a second':>10}")
        for _ in range(ROUNDS):
            for name, anew in (("for all", False), ("for each", True)):
                found = measured(relay.pid, anew=anew)
                print(
                    f"{name:<16}{found.relay_us:>10.0f}{found.store_us:>10.0f}"
                    f"{found.rate_a_s:>10.0f}"
                )
    finally:
        relay.terminate()
        relay.wait(timeout=90)


def main() -> None:
    argparse.ArgumentParser(
        "python -m bench.deferrals",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args()
    with tempfile.TemporaryDirectory(prefix="relay-bench-") as folder:
        home = Path(folder)
        (home / "policies").mkdir()
        (home / "policies" / "huge.yaml").write_text(POLICY)
        (home / "relay.yaml").write_text(CONFIG)
        sink = Child(
            [program("smtp-sink"), "-u", "nobody", f"127.0.0.1:{SINK}", "1000"], home / "sink"
        )
        try:
            show(home)
        finally:
            sink.end()


if __name__ == "__main__":
    main()
