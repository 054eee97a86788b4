"""Work on many pieces, shared among as many processes as there are processors.

A share whose process cannot be begun, fails or is killed is done here, so that whatever is wrong
shows here too.
"""

from __future__ import annotations

import os
import pickle
import signal
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from itertools import zip_longest
from typing import Final, Generic, NoReturn, TypeVar

Piece = TypeVar("Piece")

MOST_HANDS: Final = 4
WORTH_A_HAND: Final = 40
"""Pieces, each of some milliseconds, for which another process is worth its start."""


def done_by_many(do: Callable[[Piece], bytes], pieces: Sequence[Piece]) -> list[bytes]:
    """What `do` makes of each. `do` changes nothing that others see; raises what it raises."""
    hands = _hands(len(pieces))
    done = [b""] * len(pieces)
    with ExitStack() as stack:
        others = _begun(do, [pieces[at::hands] for at in range(1, hands)], stack)
        done[0::hands] = [do(piece) for piece in pieces[0::hands]]
        for at, other in zip_longest(range(1, hands), others):
            brought = other.done() if other else []
            done[at::hands] = brought or [do(piece) for piece in pieces[at::hands]]
    return done


def _hands(count: int) -> int:
    """1 where there are threads: a fork of such a process may stand still."""
    if threading.active_count() > 1:
        return 1
    return max(1, min(os.cpu_count() or 1, MOST_HANDS, count // WORTH_A_HAND))


def _begun(
    do: Callable[[Piece], bytes], shares: Sequence[Sequence[Piece]], stack: ExitStack
) -> list[_Hand[Piece]]:
    """A process for each share, or for as many as the system allows; they end with `stack`."""
    begun: list[_Hand[Piece]] = []
    with suppress(OSError):
        for share in shares:
            begun.append(_Hand(do, share))
            stack.callback(begun[-1].end)
    return begun


class _Hand(Generic[Piece]):
    """A child of this process, with all that it knows, that does `share` and ends.

    Raises OSError where the system allows no other process.
    """

    def __init__(self, do: Callable[[Piece], bytes], share: Sequence[Piece]) -> None:
        self._reads, writes = os.pipe()
        try:
            self._pid = os.fork()
        except OSError:
            os.close(self._reads)
            os.close(writes)
            raise
        if not self._pid:
            _work(do, share, writes)
        os.close(writes)

    def done(self) -> list[bytes]:
        """What it made of its share; nothing if it could not."""
        with open(self._reads, "rb", closefd=False) as told:
            try:
                return list(pickle.load(told))  # noqa: S301  # our own child  # nosec B301
            except (EOFError, pickle.UnpicklingError):
                return []

    def end(self) -> None:
        """Whatever it does."""
        os.close(self._reads)
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)


def _work(do: Callable[[Piece], bytes], share: Sequence[Piece], writes: int) -> NoReturn:
    """The child never returns: what is above this in its stack is the parent's."""
    try:
        done = [do(piece) for piece in share]
        with open(writes, "wb") as out:
            pickle.dump(done, out)
    finally:
        os._exit(0)
