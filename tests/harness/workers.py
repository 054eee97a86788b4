"""The worker processes of a relay under test, as the system sees them."""

from __future__ import annotations

import os
import signal
from collections import Counter
from contextlib import suppress
from pathlib import Path

from tests.harness.relay_process import RelayProcess


def children(pid: int) -> list[int]:
    """The processes that `pid` has started and not yet waited for."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread that has ended meanwhile
            found += map(int, (task / "children").read_text().split())
    return found


def is_running(pid: int) -> bool:
    """Whether there is such a process, and it is no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def workers(relay: RelayProcess) -> dict[str, int]:
    """Name and pid of each worker that runs."""
    found = {}
    for pid in children(relay.child.pid):
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
            continue
        if b"worker" in words and is_running(pid):
            found[f"worker {words[words.index(b'worker') + 1].decode()}"] = pid
    return found


def kill_worker(relay: RelayProcess, name: str) -> int:
    """SIGKILL, as a crash; its pid."""
    pid = workers(relay)[name]
    os.kill(pid, signal.SIGKILL)
    return pid


def messages_by_worker(relay: RelayProcess) -> Counter[str]:
    """How many messages each worker has told of in the log."""
    return Counter(line["process"] for line in relay.log_lines() if line.get("event") == "message")
