"""The content that all clients have sent and that is not answered yet: how much there may be.

A message may be as large as what is still free. So large ones are refused long before small
ones are, and who sends many large ones leaves room for the others (Choudhury and Hahne, "Dynamic
queue length thresholds", 1998, has this for the buffers of a switch).
"""

from __future__ import annotations

from relay.core.config import Limits


class Memory:
    """Counts bytes of content; `held_bytes` is all of it. One message gets at most half."""

    def __init__(self, limits: Limits) -> None:
        self.held_bytes = 0
        # Half of it has to do for the largest message, each line of it with a dot too many.
        self._limit_bytes = max(limits.memory_bytes, 3 * limits.message_bytes)

    def take(self, more_bytes: int, had_bytes: int) -> bool:
        """Whether a message of `had_bytes` may have `more_bytes`, which then are counted."""
        held_bytes = self.held_bytes + more_bytes
        if had_bytes + more_bytes > self._limit_bytes - held_bytes:
            return False
        self.held_bytes = held_bytes
        return True

    def has_room(self, size_bytes: int) -> bool:
        """Whether a message of so many would be taken now, all of it."""
        return size_bytes <= self._limit_bytes - self.held_bytes - size_bytes

    def give_back(self, had_bytes: int) -> None:
        """A message that had so many is no more."""
        self.held_bytes -= had_bytes
