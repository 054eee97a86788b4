"""What grows with the config, and what must not.

    python -m bench.scale [N ...]    a relay with N domains (1, 1,000 and 100,000): start, memory,
                                     reload with mail under way, CPU of a message over one domain
                                     and over many, the metrics page

The relay is the real command, with its embedded store; client and sink are here. On a busy
machine compare the gaps with those beside them, "at rest"; CPU time holds better than wall time.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import re
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median, quantiles

from bench.peers.proc import TICKS_A_S
from relay.signing.generate import KeyKind, generate_key
from tests.harness.ports import free_port

ROOT = Path(__file__).resolve().parents[1]
SIZES = (1, 1000, 100_000)
KEYS, SPREADS, MESSAGES, ROUNDS = 50, (300, 10_000), 25, 60
SESSIONS = 20
READY_S, RELOAD_S, REST_S = 300.0, 300.0, 5.0
BODY = b"x" * 76 + b"\r\n"


def config(domains: int, smtp: int, web: int, sink: int, changed: str = "b") -> str:
    """A relay.yaml as a program writes it; each domain has its envelope domain and a key."""
    head = (
        f'hostname: relay.example.net\nlisteners: [{{address: "127.0.0.1:{smtp}"}}]\n'
        f'web: {{address: "127.0.0.1:{web}"}}\nlog: {{level: warning}}\n'
        f'upstreams: {{sink: {{url: "smtp://127.0.0.1:{sink}"}}}}\n'
        'tenants:\n  acme:\n    networks: ["127.0.0.0/8"]\n    domains:\n'
    )
    return head + "".join(
        f"      d{n}.example:\n        envelope_domains: [{changed}.d{n}.example]\n"
        f"        dkim: [{{selector: s1, key: keys/{n % KEYS}.pem}}]\n"
        "        routes: [{upstream: sink, policy: huge}]\n"
        for n in range(domains)
    )


POLICY = (
    "description: For a benchmark\n"
    "ramp: {advance: calendar-days, tiers: [{from: 0, cap: 1000000}]}\n"
    "window: {kind: calendar-day, timezone: UTC}\nexcess: defer\n"
)


def cpu_s(pid: int) -> float:
    """Of the process alone: not of its store, and not of the process that reads its config."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_A_S


def memory_mb(pid: int, field: str) -> float:
    found = re.search(rf"{field}:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


async def sink(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An upstream that takes everything."""
    writer.write(b"220 sink\r\n")
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        while line := await reader.readline():
            if line.upper().startswith(b"EHLO"):
                writer.write(b"250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n")
            elif line.upper().startswith(b"DATA"):
                writer.write(b"354 go\r\n")
                await reader.readuntil(b"\r\n.\r\n")
                writer.write(b"250 2.0.0 taken\r\n")
            else:
                writer.write(b"250 2.0.0 ok\r\n")
    writer.close()


class Client:
    """A session, which sends one message after the other."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, port: int) -> Client:
        client = cls(*await asyncio.open_connection("127.0.0.1", port))
        await client._reply()
        await client.say(b"EHLO bench")
        return client

    async def _reply(self) -> bytes:
        while (line := await self._reader.readline())[3:4] == b"-":
            pass
        return line

    async def say(self, line: bytes) -> bytes:
        self._writer.write(line + b"\r\n")
        async with asyncio.timeout(30):
            return await self._reply()

    async def noop(self) -> None:
        await self.say(b"NOOP")

    async def send(self, domain: int) -> None:
        head = f"From: a@d{domain}.example\r\nMessage-ID: <{time.time_ns()}@x.example>\r\n\r\n"
        for line in (f"MAIL FROM:<a@d{domain}.example>", "RCPT TO:<b@gmail.com>", "DATA"):
            await self.say(line.encode())
        answer = await self.say(head.encode() + BODY * 20 + b".")
        if not answer.startswith(b"250"):
            raise SystemExit(f"not taken: {answer.decode()}")


@dataclass(frozen=True, slots=True)
class Running:
    """A relay that serves; `start_s` is how long it took to."""

    pid: int
    home: Path
    smtp: int
    web: int
    sink: int
    start_s: float

    def write(self, domains: int, text: str | None = None) -> None:
        made = text or config(domains, self.smtp, self.web, self.sink)
        (self.home / "relay.yaml").write_text(made)

    def get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.web}{path}", timeout=30) as answer:
            return str(answer.read().decode())


@contextlib.asynccontextmanager
async def relay(domains: int) -> AsyncIterator[Running]:
    with tempfile.TemporaryDirectory(prefix="relay-bench-") as folder:
        home = Path(folder)
        (home / "policies").mkdir()
        (home / "policies" / "huge.yaml").write_text(POLICY)
        for number in range(KEYS):
            generate_key(home / "keys" / f"{number}.pem", KeyKind.RSA)
        server = await asyncio.start_server(sink, "127.0.0.1", 0, limit=2**20)
        made = Running(0, home, free_port(), free_port(), server.sockets[0].getsockname()[1], 0.0)
        made.write(domains)
        began = time.perf_counter()
        command = [sys.executable, "-m", "relay", "serve", "--config", str(home / "relay.yaml")]
        process = await asyncio.create_subprocess_exec(*command, cwd=ROOT)
        try:
            await _ready(made)
            yield replace(made, pid=process.pid, start_s=time.perf_counter() - began)
        finally:
            process.terminate()
            async with asyncio.timeout(60):
                await process.wait()
            server.close()


async def _ready(made: Running) -> None:
    until = time.monotonic() + READY_S
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            await asyncio.to_thread(made.get, "/readyz")
            return
        await asyncio.sleep(0.05)
    raise SystemExit("the relay did not become ready")


async def gaps(made: Running, over: asyncio.Future[None] | asyncio.Task[None]) -> list[float]:
    """Milliseconds between one reply and the next, sorted, while mail goes on until `over`."""
    client = await Client.open(made.smtp)
    found = []
    for number in itertools.count():
        if over.done():
            break
        began = time.perf_counter()
        await (client.send(0) if number % 10 == 0 else client.noop())
        found.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(0.002)
    return sorted(found)


async def reloaded(made: Running, domain: int, mark: str) -> None:
    """Until the relay takes `mark` as an envelope domain of `domain`."""
    client = await Client.open(made.smtp)
    until = time.monotonic() + RELOAD_S
    while time.monotonic() < until:
        if (await client.say(f"MAIL FROM:<a@{mark}.d{domain}.example>".encode())).startswith(b"2"):
            await client.say(b"RSET")
            return
        await client.say(b"QUIT")
        client = await Client.open(made.smtp)
        await asyncio.sleep(0.05)
    raise SystemExit("the new config did not come into force")


def told(name: str, found: list[float], took_s: float | None = None) -> None:
    took = "" if took_s is None else f"{took_s:.1f} s; "
    p99 = found[int(len(found) * 0.99)]
    print(f"  {name}: {took}replies within {p99:.1f} ms (99 %), the longest {found[-1]:.1f} ms")


async def reloads(made: Running, domains: int) -> None:
    rest = asyncio.ensure_future(asyncio.sleep(REST_S))
    told("at rest", await gaps(made, rest))
    text = config(domains, made.smtp, made.web, made.sink)
    last = domains - 1
    one = text.replace(f"[b.d{last}.example]", f"[one.d{last}.example]")
    every = config(domains, made.smtp, made.web, made.sink, "all")
    again = every.replace(f"[all.d{last}.example]", f"[again.d{last}.example]")
    edits = (
        ("one domain changed, the first edit ever", one, "one"),
        ("all changed", every, "all"),
        ("one domain changed", again, "again"),
    )
    for name, edit, mark in edits:
        before, began = cpu_s(made.pid), time.perf_counter()
        made.write(domains, edit)
        (await asyncio.create_subprocess_exec("kill", "-HUP", str(made.pid)))
        found = await gaps(made, asyncio.ensure_future(reloaded(made, last, mark)))
        told(name, found, time.perf_counter() - began)
        print(f"    {cpu_s(made.pid) - before:.2f} s of the relay's CPU, mail included")
        await asyncio.sleep(REST_S)


async def message_cost(made: Running, domains: int, active: int) -> None:
    """In turn, a few at a time, after each domain has had its first message."""
    client, step = await Client.open(made.smtp), max(1, domains // active)
    many = itertools.cycle(range(0, step * active, step))
    await asyncio.gather(*(_send_all(made, some) for some in _shares(step * active, step)))
    found = []
    for _ in range(ROUNDS):
        one = await _cost(made, client, itertools.repeat(0))
        found.append((one, await _cost(made, client, many)))
    one, other = (quantiles(each, n=4)[0] * 1e6 for each in zip(*found, strict=True))
    middle = median(over / alone for alone, over in found)
    print(
        f"  a message: {one:.0f} µs of CPU of relay and store; over {active} domains {other:.0f},"
        f" {other / one:.2f} times (lower quartiles; median of pairs {middle:.2f})",
        flush=True,
    )


def _shares(to: int, step: int) -> list[range]:
    return [range(step * first, to, step * SESSIONS) for first in range(SESSIONS)]


async def _send_all(made: Running, domains: range) -> None:
    client = await Client.open(made.smtp)
    for number in domains:
        await client.send(number)


async def _cost(made: Running, client: Client, domains: Iterator[int]) -> float:
    """Seconds of CPU for a message, of the relay and of its store."""
    pids = (made.pid, _store_of(made))
    before = sum(map(running_s, pids))
    for number in itertools.islice(domains, MESSAGES):
        await client.send(number)
    return (sum(map(running_s, pids)) - before) / MESSAGES


def running_s(pid: int) -> float:
    """CPU of the process alone, of all its threads: in nanoseconds, where `cpu_s` knows ticks."""
    told = [task / "schedstat" for task in Path(f"/proc/{pid}/task").iterdir()]
    return sum(int(each.read_text().split()[0]) for each in told) / 1e9


def _store_of(made: Running) -> int:
    """The embedded server: a child of the relay."""
    children = Path(f"/proc/{made.pid}/task/{made.pid}/children").read_text().split()
    names = {pid: Path(f"/proc/{pid}/comm").read_text() for pid in children}
    return next(int(pid) for pid, name in names.items() if "valkey" in name or "redis" in name)


async def metrics(made: Running) -> None:
    client = await Client.open(made.smtp)
    began = time.perf_counter()
    page = asyncio.ensure_future(asyncio.to_thread(made.get, "/metrics"))
    longest = 0.0
    while not page.done():
        asked = time.perf_counter()
        await client.noop()
        longest = max(longest, time.perf_counter() - asked)
    size, took = len(await page), (time.perf_counter() - began) * 1000
    print(
        f"  metrics: {size / 1000:.0f} kB in {took:.0f} ms, a NOOP beside {longest * 1000:.1f} ms"
    )


async def serve(sizes: list[int]) -> None:
    for domains in sizes:
        async with relay(domains) as made:
            print(f"{domains} domains: start {made.start_s:.1f} s", end=", ")
            print(f"{memory_mb(made.pid, 'VmRSS'):.0f} MB resident", flush=True)
            for active in [each for each in SPREADS if each <= domains] or [1]:
                await message_cost(made, domains, active)
            await metrics(made)
            await reloads(made, domains)
            print(f"  at most {memory_mb(made.pid, 'VmHWM'):.0f} MB resident", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.scale",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("domains", type=int, nargs="*", default=SIZES)
    asyncio.run(serve(parser.parse_args().domains))


if __name__ == "__main__":
    main()
