"""How long to wait before what died is started again: longer and longer while it dies at once."""

from __future__ import annotations

import asyncio
from typing import Final

FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 5.0
STEADY_S: Final = 10.0
"""How long it has to run for its next death to count as the first."""


class Pauses:
    """Of one thing that is kept running. Bound to the running loop's clock."""

    def __init__(self) -> None:
        self._pause_s = FIRST_PAUSE_S
        self._since = float("-inf")

    def next_s(self) -> float:
        """How long to wait now."""
        now = asyncio.get_running_loop().time()
        is_first = now - self._since > STEADY_S
        self._pause_s = FIRST_PAUSE_S if is_first else self._pause_s * 2
        self._since = now
        return min(self._pause_s, LONGEST_PAUSE_S)
