"""What a process that begins to serve does about its memory, once.

What start-up left behind (parsed config, schema, modules) lives as long as the process: the
collector need not look at it again, and what was only needed to get there goes back to the
system.
"""

from __future__ import annotations

import ctypes
import gc
from typing import Final

COLLECT_AFTER: Final = 5_000
"""Objects made and still there before the young are looked at; CPython's 700 are one message."""


def settle_down() -> None:
    """Call it when all is loaded and before the first message or request."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 10, 10)
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc
    if trim is not None:
        trim(0)
