"""Work in memory that takes long: done beside the loop. That of large messages one at a time.

A thread that computes takes the interpreter from the loop for some milliseconds at a time;
several of them would take it in turns, and the loop would wait for all.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from threading import Lock
from typing import Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

INLINE_BYTES: Final = 1_310_720
"""Up to this size, 1 MB and its header among them, a thread costs more than it saves:
its work holds the loop for 1 ms (4 where it is all words), the thread takes 0.6 ms more CPU."""

TURN_S: Final = 0.0005
"""How long a thread in `short_turns` may keep the interpreter when the loop wants it."""

_THREAD: Final = ThreadPoolExecutor(1, "large-message")


async def beside(size_bytes: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `work(*args, **kwargs)` returns or raises, where it looks at `size_bytes` bytes."""
    if size_bytes <= INLINE_BYTES:
        return work(*args, **kwargs)
    context = copy_context()
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_THREAD, lambda: context.run(work, *args, **kwargs))


class _Turns:
    """How many threads are in `short_turns`, and what the interval was before the first."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.threads = 0
        self.before_s = 0.0


_TURNS: Final = _Turns()


@contextmanager
def short_turns() -> Iterator[None]:
    """While the block computes in a thread, the loop gets the interpreter sooner, at some cost."""
    with _TURNS.lock:
        if not _TURNS.threads:
            _TURNS.before_s = sys.getswitchinterval()
            sys.setswitchinterval(TURN_S)
        _TURNS.threads += 1
    try:
        yield
    finally:
        with _TURNS.lock:
            _TURNS.threads -= 1
            if not _TURNS.threads:
                sys.setswitchinterval(_TURNS.before_s)
