"""The event loop that the processes of a relay run on, and the signals that they are led by."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any, Final

_ENDINGS: Final = (signal.SIGTERM, signal.SIGINT)


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run `work` to its end, on a loop of its own. A signal that comes later changes nothing."""
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(work)
    for name in (*_ENDINGS, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)


def handle_signals(stop: asyncio.Event, reload: Callable[[], object]) -> None:
    """SIGTERM and SIGINT set `stop`, and until then SIGHUP calls `reload`."""
    loop = asyncio.get_running_loop()
    for name in _ENDINGS:
        loop.add_signal_handler(name, stop.set)
    loop.add_signal_handler(signal.SIGHUP, lambda: stop.is_set() or reload())


def loop_factory() -> type[asyncio.AbstractEventLoop] | None:
    """Uvloop where it can be had: it halves the cost of a socket event."""
    if sys.platform == "win32":
        return None
    import uvloop  # noqa: PLC0415  # not on every platform

    return uvloop.Loop
