"""What is in this process's memory stays there: no core dump, no look from beside.

Tokens, passwords and DKIM keys are in it. The limit on core files is inherited by children, and
does not hold where the system pipes cores to a program (core(5)); the flag does, and goes with
exec, so each process sets its own. What is left out of a core is inherited over exec: a core of
the embedded store, which knows of no flag, has nothing in it.
"""

from __future__ import annotations

import ctypes
import resource
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

_PR_SET_DUMPABLE: Final = 4
_LEFT_OUT: Final = Path("/proc/self/coredump_filter")


def keep_memory_private() -> None:
    """No core dumps of this process; on Linux, no ptrace by others of its user either (prctl(2)).

    Root can still look. What the system does not allow is left as it is.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    if sys.platform == "linux":
        with suppress(OSError):  # a kernel without it: the limit and the flag are left
            _LEFT_OUT.write_text("0", encoding="ascii")
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
