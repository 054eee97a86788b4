"""One child process in a session of its own, its output in files, ended by its id."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

TAIL_BYTES = 6_000
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def _die_with_the_tests() -> None:
    """In the child: a test run that is killed leaves nothing behind (prctl(2), Linux only)."""
    if _LIBC:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Child:
    """A process that was started and not yet ended. `log` holds what it wrote, both streams."""

    def __init__(
        self,
        command: Sequence[str | Path],
        log: Path,
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.log = log
        self.name = Path(str(command[0])).name
        with log.open("ab") as output:
            self._popen = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env={**os.environ, **(env or {})},
                start_new_session=True,
                preexec_fn=_die_with_the_tests,  # noqa: PLW1509  # one call, no allocation
            )

    @property
    def pid(self) -> int:
        """The process id, which is also that of its group."""
        return self._popen.pid

    @property
    def returncode(self) -> int | None:
        """None while it runs."""
        return self._popen.poll()

    def rss_bytes(self) -> int:
        """The memory that it has in use now (Linux)."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def descriptors(self) -> int:
        """How many files and sockets it has open (Linux)."""
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    def tail(self) -> str:
        """The end of what it wrote."""
        text = self.log.read_bytes()[-TAIL_BYTES:].decode(errors="replace")
        return f"--- {self.name} (pid {self.pid}, exit {self.returncode}) {self.log}\n{text}"

    def send(self, number: signal.Signals) -> None:
        """Send it (alone, not its group) a signal; nothing happens if it has ended."""
        if self.returncode is None:
            self._popen.send_signal(number)

    def wait(self, timeout_s: float) -> int:
        """Its exit status. Raises AssertionError if it does not end in time."""
        try:
            return self._popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"did not end within {timeout_s:g} s\n{self.tail()}") from None

    def terminate(self, timeout_s: float = 10.0) -> int:
        """SIGTERM, and the exit status."""
        self.send(signal.SIGTERM)
        return self.wait(timeout_s)

    def kill(self) -> None:
        """SIGKILL to it alone, as a crash would; children are left to notice by themselves."""
        self.send(signal.SIGKILL)
        self._popen.wait(10)

    def end(self) -> None:
        """For finalizers: whatever it takes, its whole group, without an error."""
        with suppress(AssertionError):
            self.terminate(3)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            self._popen.wait(5)
