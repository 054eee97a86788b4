"""Both ends of a burst: Postfix's smtp-source in front of a system and smtp-sink behind it.

smtp-source sends HELO and no AUTH, does not pipeline, and stops at the first refusal.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from bench.peers.system import DOMAIN
from tests.harness.ports import free_port, is_listening
from tests.harness.processes import Child
from tests.harness.waiting import until

RECIPIENT = "b@gmail.com"  # its provider is known without a look at the DNS
SOURCE_S = 120
DRAIN_S = 60


def program(name: str) -> str:
    """Where Debian's postfix package has it. Raises SystemExit where it is missing."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if not found:
        raise SystemExit(f"{name} is missing: scripts/setup bench installs it")
    return found


@dataclass(frozen=True, slots=True)
class Shape:
    """How mail is offered: parallel sessions, a new one for each message or not, and its size."""

    name: str
    sessions: int
    reuse: bool = True
    size_bytes: int = 10_240


class CountingSink:
    """smtp-sink, which says how many messages it has taken."""

    def __init__(self, home: Path) -> None:
        self.port = free_port()
        self._out = home / f"sink-{self.port}.out"
        user = ["-u", "nobody"] if os.getuid() == 0 else []
        command = [program("smtp-sink"), "-c", *user, f"127.0.0.1:{self.port}", "1000"]
        self._child = Child(command, self._out)
        until(lambda: is_listening(self.port), "smtp-sink to listen", detail=self._child.tail)

    def count(self) -> int:
        """Messages so far."""
        with self._out.open("rb") as file:
            file.seek(max(0, self._out.stat().st_size - 400))
            found = re.findall(rb"mesg=(\d+)", file.read())
        return int(found[-1]) if found else 0

    def end(self) -> None:
        """For finalizers."""
        self._child.end()


def send(port: int, shape: Shape, count: int) -> None:
    """Offer `count` messages. Raises SystemExit where smtp-source was refused."""
    command = [program("smtp-source"), "-s", str(min(shape.sessions, count)), "-m", str(count)]
    command += ["-l", str(shape.size_bytes), "-f", f"a@{DOMAIN}", "-t", RECIPIENT]
    command += ["-d"] if shape.reuse else []
    done = subprocess.run(
        [*command, f"127.0.0.1:{port}"],
        capture_output=True,
        text=True,
        timeout=SOURCE_S,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"smtp-source to port {port}: {done.stderr[-500:]}")


def send_through(port: int, sink: CountingSink, shape: Shape, count: int) -> float:
    """Offer `count` messages; the seconds until the last of them is at the sink.

    Raises SystemExit if they do not all come within DRAIN_S of the last one's acceptance.
    """
    wanted = sink.count() + count
    began = time.perf_counter()
    send(port, shape, count)
    deadline = time.monotonic() + DRAIN_S
    while sink.count() < wanted:
        if time.monotonic() > deadline:
            raise SystemExit(f"{wanted - sink.count()} of {count} messages did not arrive")
        time.sleep(0.005)
    return time.perf_counter() - began
