"""Python's collector of cyclic garbage while much is made that stays.

Counting from what was made, it would look through all of it again and again: more than half of
the time that 100,000 domains take, and pauses of a second.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_at_rest() -> Iterator[None]:
    """It collects nothing during the block; for the whole process, so keep the block short."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def keep_out_of_collections() -> None:
    """What there is by now is never looked through again; it goes when nothing refers to it.

    Garbage in cycles that is there already stays for ever: to be called seldom.
    """
    gc.freeze()
