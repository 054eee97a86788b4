"""The API beside mail: how long its answers take, and what they cost the mail.

    python -m bench.api [--rounds N] [--seconds S] [--sessions N] [--rate N]

One relay (`serve`, with the web process that it keeps) between smtp-source and smtp-sink. Each
round sends the same burst of mail twice, alone and with `--rate` requests a second beside it, in
turns, for the machine drifts. The bounds: p99 at most 50 ms, and at most 5 % fewer messages a
second (the median over the pairs). A request is due at its own instant and timed from there, so
that one slow answer cannot hide those behind it. Client, upstream and relay share the machine:
judge only by a quiet one. CPU time of the relay's two processes is printed beside it, which holds
better on a busy one.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.alone import CONFIG, DOMAIN, POLICY, RELAY, ROOT, SINK, WEB, cpu_s, source
from bench.wire import program
from bench.workers import READY_S, family, wait_until_ready

P99_MS, MOST_LOSS = 50.0, 0.05
CONNECTIONS, LATE_S = 20, 10.0
DOMAINS = 200
PATHS: Final = (
    *[f"/api/warmup/status/{DOMAIN}"] * 7,
    *["/api/warmup?limit=50"] * 2,
    "/api/audit?limit=20",
)
"""What is asked, in turn: mostly one status, as programs do that poll."""


@dataclass(frozen=True, slots=True)
class Round:
    """Messages a second alone and beside the API; its latencies, and CPU seconds while both ran."""

    alone: float
    beside: float
    latencies_ms: list[float]
    web_cpu_s: float
    took_s: float


class Client:
    """Connections that stay open, and a queue of instants at which something is due."""

    def __init__(self, token: str, rate: float) -> None:
        self._head = f"Host: relay\r\nAuthorization: Bearer {token}\r\n\r\n"
        self._rate = rate
        self.latencies_ms: list[float] = []

    async def ask_until(self, done: asyncio.Event) -> None:
        """Ask at the rate until `done`; those under way are waited for."""
        due: asyncio.Queue[tuple[float, str] | None] = asyncio.Queue()
        async with asyncio.TaskGroup() as group:
            for _ in range(CONNECTIONS):
                group.create_task(self._serve(due))
            began, paths = time.perf_counter(), itertools.cycle(PATHS)
            for count in itertools.count():
                at = began + count / self._rate
                await asyncio.sleep(max(0.0, at - time.perf_counter()))
                if done.is_set():
                    break
                due.put_nowait((at, next(paths)))
            for _ in range(CONNECTIONS):
                due.put_nowait(None)

    async def _serve(self, due: asyncio.Queue[tuple[float, str] | None]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", WEB)
        while (wanted := await due.get()) is not None:
            at, path = wanted
            async with asyncio.timeout(LATE_S):
                writer.write(f"GET {path} HTTP/1.1\r\n{self._head}".encode())
                head = await reader.readuntil(b"\r\n\r\n")
                size = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
                await reader.readexactly(size)
            if b" 200 " not in head.split(b"\r\n")[0]:
                raise SystemExit(f"{path}: {head.decode()}")
            self.latencies_ms.append((time.perf_counter() - at) * 1000)
        writer.close()


async def beside(token: str, given: argparse.Namespace, count: int) -> tuple[float, list[float]]:
    client, done = Client(token, given.rate), asyncio.Event()

    async def mail() -> float:
        try:
            return await asyncio.to_thread(source, RELAY, given.sessions, count)
        finally:
            done.set()

    async with asyncio.TaskGroup() as group:
        sending = group.create_task(mail())
        group.create_task(client.ask_until(done))
    return sending.result(), client.latencies_ms


def measured(relay: int, token: str, given: argparse.Namespace) -> list[Round]:
    [web] = [pid for pid in family(relay) if b"front" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    rate = source(RELAY, given.sessions, 200)
    count, found = max(100, int(rate * given.seconds)), []
    for number in range(given.rounds):
        order = (True, False) if number % 2 else (False, True)
        rates, latencies, cpu, took = dict[bool, float](), list[float](), 0.0, 0.0
        for is_beside in order:
            began, spent = time.perf_counter(), cpu_s(web)
            if is_beside:
                rates[True], latencies = asyncio.run(beside(token, given, count))
                cpu, took = cpu_s(web) - spent, time.perf_counter() - began
            else:
                rates[False] = source(RELAY, given.sessions, count)
        found.append(Round(rates[False], rates[True], latencies, cpu, took))
        print(f"alone {rates[False]:.0f}/s, beside {rates[True]:.0f}/s", file=sys.stderr)
    return found


def told(found: list[Round], given: argparse.Namespace) -> bool:
    """Print what came of it; whether both bounds hold."""
    latencies = sorted(value for each in found for value in each.latencies_ms)
    p50, p99 = (latencies[int(len(latencies) * share)] for share in (0.5, 0.99))
    loss = 1 - statistics.median(each.beside / each.alone for each in found)
    asked = sum(len(each.latencies_ms) for each in found)
    cpu_ms = 1000 * sum(each.web_cpu_s for each in found) / asked
    took_s = sum(each.took_s for each in found)
    fits = p99 <= P99_MS and loss <= MOST_LOSS
    print(
        f"{asked} requests, {asked / took_s:.0f}/s of {given.rate:g}/s: p50 {p50:.1f} ms, "
        f"p99 {p99:.1f} ms (bound {P99_MS:g}), slowest {latencies[-1]:.1f} ms, "
        f"{cpu_ms:.2f} ms of CPU each\n"
        f"mail: {statistics.median(each.alone for each in found):.0f}/s alone, "
        f"{statistics.median(each.beside for each in found):.0f}/s beside: "
        f"{100 * loss:.1f} % less (bound {100 * MOST_LOSS:g} %); {len(found)} rounds, "
        f"{given.sessions} sessions, {os.cpu_count()} cores"
    )
    rows = [{"alone": each.alone, "beside": each.beside} for each in found]
    print(json.dumps({"p99_ms": p99, "loss": loss, "fits": fits, "rounds": rows}))
    return fits


def written(home: Path) -> Path:
    (home / "policies").mkdir()
    (home / "policies" / "huge.yaml").write_text(POLICY)
    web = f'web: {{address: "127.0.0.1:{WEB}", requests_per_minute: 60000}}'
    text = CONFIG.replace(f'web: {{address: "127.0.0.1:{WEB}"}}', web)
    route = "{routes: [{upstream: outbound, policy: huge}]}"
    more = "".join(f"      d{n}.example: {route}\n" for n in range(DOMAINS - 1))
    path = home / "relay.yaml"
    path.write_text(text.replace("policies: [policies]", f"{more}policies: [policies]"))
    return path


def wait_for_the_web_process() -> None:
    """The relay is ready without it, and answers for it."""
    until = time.monotonic() + READY_S
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{WEB}/api/docs", timeout=20):
                return
        except OSError:
            time.sleep(0.5)
    sys.exit("the web process did not come up")


@contextmanager
def running(config: Path) -> Iterator[int]:
    """A relay and its upstream: the relay's process id."""
    user = ["-u", "nobody"] if os.getuid() == 0 else []
    sink = subprocess.Popen([program("smtp-sink"), *user, f"127.0.0.1:{SINK}", "1000"])
    command = [sys.executable, "-m", "relay", "serve", "--config", str(config)]
    relay = subprocess.Popen(command, cwd=ROOT)
    try:
        wait_until_ready()
        wait_for_the_web_process()
        yield relay.pid
    finally:
        for process in (relay, sink):
            process.terminate()
            process.wait(timeout=90)


def token_for(config: Path) -> str:
    words = ["token", "create", "--scope", "operator", "--json", "--config", str(config)]
    command = [sys.executable, "-m", "relay", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=60)
    return str(json.loads(done.stdout)["token"])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.api")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=10.0, help="of one burst, about")
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--rate", type=float, default=200.0)
    given = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="relay-bench-"))
    try:
        config = written(home)
        with running(config) as relay:
            found = measured(relay, token_for(config), given)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    if not told(found, given):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
