"""What /proc says of a process and everything below it: who they are, their CPU and memory."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

TICKS_A_S = os.sysconf("SC_CLK_TCK")
_PARENT, _UTIME, _CSTIME = 1, 11, 14  # of the fields behind the name, proc(5)


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()


def _all() -> dict[int, list[str]]:
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                found[int(entry.name)] = _stat(int(entry.name))
    return found


def _below(root: int, processes: dict[int, list[str]]) -> list[int]:
    children: dict[int, list[int]] = {}
    for pid, fields in processes.items():
        children.setdefault(int(fields[_PARENT]), []).append(pid)
    found: list[int] = []
    waiting = list(children.get(root, []))
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting += children.get(pid, [])
    return found


def descendants(root: int) -> list[int]:
    """The ids of everything below `root`, not itself."""
    return _below(root, _all())


def parent(pid: int) -> int:
    """The id of its parent; 0 if it has ended."""
    try:
        return int(_stat(pid)[_PARENT])
    except OSError:
        return 0


def cpu_s(roots: list[int]) -> float:
    """CPU seconds of `roots`, all below them, and all of those that have ended and were reaped."""
    processes = _all()
    pids = {pid for root in roots for pid in [root, *_below(root, processes)]}
    ticks = sum(
        int(field)
        for pid in pids
        if pid in processes
        for field in processes[pid][_UTIME : _CSTIME + 1]
    )
    return ticks / TICKS_A_S


def pss_mb(roots: list[int]) -> float:
    """Memory of all below `roots`, shared pages divided among those that share them, in MiB."""
    total_kb = 0
    for pid in {pid for root in roots for pid in descendants(root)}:
        with suppress(OSError):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total_kb += int(line.split()[1])
    return total_kb / 1024
