"""Runs one daemon, and stays the ancestor of everything that it forks.

`python -m bench.peers.supervisor [--background] COMMAND…`. A mail server's children are often
orphaned (Exim's deliveries are); as the child subreaper (prctl(2), Linux) this process inherits and
reaps them, so that one walk down /proc finds them and their CPU time is in ours when they have
ended.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

from bench.peers.proc import descendants, parent

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
BACKGROUND = "--background"
GRACE_S = 3.0
STOP_S = 8
_LIBC = ctypes.CDLL(None, use_errno=True)


def _die_with_us() -> None:
    _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _children() -> list[int]:
    return [pid for pid in descendants(os.getpid()) if parent(pid) == os.getpid()]


class TimeIsUp(Exception):
    """What was asked to stop did not."""


def _time_is_up(*_: object) -> None:
    raise TimeIsUp


class Watch:
    """One command; with `background`, the daemon that it leaves behind."""

    def __init__(self, command: list[str], *, background: bool) -> None:
        self._main = subprocess.Popen(command, preexec_fn=_die_with_us)  # noqa: PLW1509
        self._background = background

    def forward(self, number: int, _: object) -> None:
        """A signal, for the command or its daemon. What does not stop has STOP_S to do so."""
        for pid in _children() if self._background else [self._main.pid]:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        if number != signal.SIGHUP:
            signal.alarm(STOP_S)

    def run(self) -> int:
        """Until it has ended; the exit status of the command."""
        result = 0
        with suppress(ChildProcessError, TimeIsUp):
            while self._background or self._main.returncode is None:
                pid, status = os.wait()
                if pid == self._main.pid:
                    self._main.returncode = result = os.waitstatus_to_exitcode(status)
        return result


def _end_the_rest() -> None:
    """Ask whoever is left to end, then insist; bounded by GRACE_S."""
    deadline = time.monotonic() + GRACE_S
    number = signal.SIGTERM
    while (left := descendants(os.getpid())) and time.monotonic() < deadline + 1:
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        time.sleep(0.05)
        number = signal.SIGKILL if time.monotonic() > deadline else signal.SIGTERM
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def main() -> None:
    _LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1)
    background = sys.argv[1] == BACKGROUND
    watch = Watch(sys.argv[2 if background else 1 :], background=background)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, watch.forward)
    signal.signal(signal.SIGALRM, _time_is_up)
    status = watch.run()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    _end_the_rest()
    sys.exit(status if status >= 0 else 128 - status)


if __name__ == "__main__":
    main()
