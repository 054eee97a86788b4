"""A daemon under its supervisor: nobody is lost from the sum, and nobody is left behind."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench.peers.proc import cpu_s, descendants
from tests.harness.processes import Child
from tests.harness.waiting import until

ROOT = Path(__file__).parents[3]
BURN = "import time\nwhile time.process_time() < 0.4: pass"
# Its child is orphaned at once, burns, and ends.
ORPHAN = f"""
import os, subprocess, sys, time
if os.fork() == 0:
    subprocess.Popen([sys.executable, "-c", {BURN!r}])
    os._exit(0)
os.wait()
time.sleep(60)
"""
# Goes into the background as daemons do, with a child of its own.
DAEMON = """
import os, subprocess, sys
if os.fork():
    os._exit(0)
os.setsid()
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
child.wait()
"""


def supervised(tmp_path: Path, code: str, *options: str) -> Child:
    command = [sys.executable, "-m", "bench.peers.supervisor", *options, sys.executable, "-c", code]
    return Child(command, tmp_path / "log", cwd=ROOT, env={"PYTHONPATH": str(ROOT)})


def test_the_time_of_an_orphan_that_has_ended_is_counted(tmp_path: Path) -> None:
    child = supervised(tmp_path, ORPHAN)
    try:
        until(lambda: cpu_s([child.pid]) >= 0.4, "the orphan's time", timeout_s=30)
        until(lambda: len(descendants(child.pid)) == 1, "the orphan to end", timeout_s=30)
        assert cpu_s([child.pid]) >= 0.4
    finally:
        child.end()


@pytest.mark.parametrize(("code", "options"), [(ORPHAN, ()), (DAEMON, ("--background",))])
def test_nobody_is_left_when_it_is_told_to_stop(
    tmp_path: Path, code: str, options: tuple[str, ...]
) -> None:
    child = supervised(tmp_path, code, *options)
    try:
        until(lambda: len(descendants(child.pid)) >= 2, "it to have children", timeout_s=30)
        below = descendants(child.pid)
        child.terminate(20)
        assert [pid for pid in below if Path(f"/proc/{pid}").exists()] == []
    finally:
        child.end()
