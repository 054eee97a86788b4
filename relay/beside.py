"""Work in memory that takes long for a large message: done beside the loop, one at a time.

A thread that computes takes the interpreter from the loop for some milliseconds at a time;
several of them would take it in turns, and the loop would wait for all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

INLINE_BYTES: Final = 262_144
"""Up to this size a thread costs more than it saves."""

_THREAD: Final = ThreadPoolExecutor(1, "large-message")


async def beside(size_bytes: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `work(*args, **kwargs)` returns or raises, where it looks at `size_bytes` bytes."""
    if size_bytes <= INLINE_BYTES:
        return work(*args, **kwargs)
    context = copy_context()
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_THREAD, lambda: context.run(work, *args, **kwargs))
