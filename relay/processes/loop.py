"""The event loop that the processes of a relay run on."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run `work` to its end, on a loop of its own."""
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(work)


def loop_factory() -> type[asyncio.AbstractEventLoop] | None:
    """Uvloop where it can be had: it halves the cost of a socket event."""
    if sys.platform == "win32":
        return None
    import uvloop  # noqa: PLC0415  # not on every platform

    return uvloop.Loop
