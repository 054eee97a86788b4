"""What a message meets when every route that it may take has a wall: which of them is told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from relay.core.quota.walls import Wall

_NEVER: Final = datetime.max.replace(tzinfo=UTC)


def first_to_open(walls: Sequence[Wall]) -> Wall:
    """The wall that lets the message through first; of equals the earlier one.

    One that nobody knows the end of, such as a pause, comes last. `walls` are one or more.
    """
    if len(walls) == 1:
        return walls[0]
    return min(walls, key=lambda wall: wall.passable_at or _NEVER)


def widest(walls: Sequence[Wall]) -> Wall:
    """Of walls that the message never fits through the one that lets most through."""
    return max(walls, key=lambda wall: wall.most_ever)
