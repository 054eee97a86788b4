"""What one relay process costs in memory, and how long its loop is held, with large messages.

    python -m bench.memory            all three
    python -m bench.memory idle      resident memory, and per idle connection (5,000 of them)
    python -m bench.memory large     one message of 50 MB, in multiples of its size
    python -m bench.memory slow      20 clients that send 25 MB each, and a client beside them

The relay is the real command, its upstream a small sink here. Bounded: under two minutes each.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path

from bench.alone import CONFIG, DOMAIN, POLICY, RELAY, ROOT, SINK, WEB

CONNECTIONS = 5000
MB = 1_000_000
LINE = b"x" * 76 + b"\r\n"
MORE = "{connections: 6000, connections_per_address: 6000, message_size: 60MB}"


def status_kb(pid: int, field: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))


def content(size: int) -> bytes:
    head = f"From: a@{DOMAIN}\r\nMessage-ID: <{time.time_ns()}@{DOMAIN}>\r\n\r\n".encode()
    return head + LINE * (size // len(LINE)) + b".\r\n"


async def sink(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 sink\r\n")
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        while line := await reader.readline():
            if line.upper().startswith(b"EHLO"):
                writer.write(b"250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n")
            elif line.upper().startswith(b"DATA"):
                writer.write(b"354 go\r\n")
                tail = b""
                while not tail.endswith(b"\r\n.\r\n"):
                    tail = (tail + await reader.read(262_144))[-5:]
                writer.write(b"250 2.0.0 taken\r\n")
            else:
                writer.write(b"250 2.0.0 ok\r\n")
    writer.close()


class Client:
    """A session with the relay."""

    async def open(self) -> Client:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", RELAY)
        await self.reply()
        await self.say(b"EHLO bench")
        return self

    async def reply(self) -> str:
        while (line := (await self.reader.readline()).decode())[3:4] == "-":
            pass
        return line

    async def say(self, line: bytes) -> str:
        self.writer.write(line + b"\r\n")
        return await self.reply()

    async def send(self, body: bytes, pause_s: float = 0.0) -> float:
        """Seconds from the first command to the answer; `pause_s` between pieces."""
        began = time.perf_counter()
        await self.say(f"MAIL FROM:<a@{DOMAIN}>".encode())
        await self.say(b"RCPT TO:<b@there.example>")
        await self.say(b"DATA")
        for at in range(0, len(body), 262_144):
            self.writer.write(body[at : at + 262_144])
            await self.writer.drain()
            await asyncio.sleep(pause_s)
        answer = await self.reply()
        assert answer.startswith("250"), answer
        return time.perf_counter() - began


@contextlib.asynccontextmanager
async def relay() -> AsyncIterator[int]:
    """The pid of a relay that serves."""
    with tempfile.TemporaryDirectory(prefix="relay-bench-") as folder:
        home = Path(folder)
        (home / "policies").mkdir()
        (home / "policies" / "huge.yaml").write_text(POLICY)
        config = CONFIG.replace("{connections_per_address: 1000}", MORE)
        (home / "relay.yaml").write_text(config)
        server = await asyncio.start_server(sink, "127.0.0.1", SINK)
        command = [sys.executable, "-m", "relay", "serve", "--config", str(home / "relay.yaml")]
        process = await asyncio.create_subprocess_exec(*command, cwd=ROOT)
        try:
            await asyncio.to_thread(_wait_until_ready)
            yield process.pid
        finally:
            process.terminate()
            async with asyncio.timeout(60):
                await process.wait()
            server.close()


def _wait_until_ready() -> None:
    for _ in range(200):
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{WEB}/readyz", timeout=2).close()
            return
        time.sleep(0.1)
    sys.exit("the relay did not become ready")


async def idle() -> None:
    async with relay() as pid:
        await asyncio.sleep(2)
        before = status_kb(pid, "VmRSS")
        print(f"idle: {before / 1024:.1f} MB resident")
        clients = []
        for _ in range(CONNECTIONS // 100):
            clients += await asyncio.gather(*(Client().open() for _ in range(100)))
        await asyncio.sleep(1)
        each = (status_kb(pid, "VmRSS") - before) / len(clients)
        alive = [client for client in clients if (await client.say(b"NOOP")).startswith("250")]
        print(f"{len(alive)} of {len(clients)} idle connections held, {each:.1f} kB each")
        for client in clients:
            client.writer.close()


async def large(size: int = 50 * MB) -> None:
    async with relay() as pid:
        client = await Client().open()
        await client.send(content(10_000))
        before = status_kb(pid, "VmRSS")
        took = await client.send(content(size))
        peak = status_kb(pid, "VmHWM")
        print(f"{size // MB} MB: {(peak - before) * 1024 / size:.2f} times its size, {took:.1f} s")


async def slow() -> None:
    async with relay():
        one = await Client().open()
        alone = [await one.send(content(10_000)) for _ in range(50)]
        big = content(25 * MB)
        others = [await Client().open() for _ in range(20)]
        sending = [asyncio.create_task(client.send(big, 0.05)) for client in others]
        beside, noops = [], []
        while not all(task.done() for task in sending):
            began = time.perf_counter()
            await one.say(b"NOOP")
            noops.append(time.perf_counter() - began)
            beside.append(await one.send(content(10_000)))
            await asyncio.sleep(0.02)
        await asyncio.gather(*sending)
        for name, found in (("alone", alone), ("beside 20 of 25 MB", beside), ("NOOP", noops)):
            found.sort()
            p50, p99 = found[len(found) // 2], found[int(len(found) * 0.99)]
            print(
                f"{name}: p50 {p50 * 1000:.1f} ms, p99 {p99 * 1000:.1f}, max {found[-1] * 1000:.1f}"
            )


def main() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 20_000), hard))
    parts = {"idle": idle, "large": large, "slow": slow}
    parser = argparse.ArgumentParser(
        prog="python -m bench.memory",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("parts", nargs="*", help="all of them by default")
    wanted = parser.parse_args().parts or list(parts)
    if unknown := set(wanted) - set(parts):
        sys.exit(f"no such part: {', '.join(sorted(unknown))}")
    for name in wanted:
        asyncio.run(parts[name]())


if __name__ == "__main__":
    try:
        main()
    except subprocess.SubprocessError as error:
        sys.exit(str(error))
