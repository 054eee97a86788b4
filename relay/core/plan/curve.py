"""Caps as a curve of characters, for pages that show no pictures. Logarithmic, as ramps are."""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from typing import Final

from relay.core.policy.ramp import Cap

_WIDTH: Final = 64
_HEIGHT: Final = 10
_LABEL: Final = 11


def curve(caps: Sequence[Cap], name: str) -> str:
    """`caps` from left to right, as lines of text; `name` stands below them.

    Full blocks are caps, shaded columns unlimited. The lowest line holds the smallest cap.
    """
    finite = [cap for cap in caps if cap is not None] or [1]
    low, high = min(finite), max(finite)
    columns = _spread([_height(cap, low, high) for cap in caps])
    rows = [
        f"{_label(row, low, high):>{_LABEL}} ┤{''.join(_cell(c, row) for c in columns)}".rstrip()
        for row in range(_HEIGHT, 0, -1)
    ]
    axis = f"{'':>{_LABEL}} └{'─' * len(columns)}"
    below = f"{'':>{_LABEL}}  {name}" + (" (░ unlimited)" if None in caps else "")
    return "\n".join([*rows, axis, below])


def _height(cap: Cap, low: int, high: int) -> int | None:
    if cap is None or high == low:
        return None if cap is None else _HEIGHT
    return 1 + round((_HEIGHT - 1) * log(cap / low) / log(high / low))


def _label(row: int, low: int, high: int) -> str:
    if row == _HEIGHT:
        return f"{high:,}"
    return f"{low:,}" if row == 1 and low < high else ""


def _spread(heights: list[int | None]) -> list[int | None]:
    """As many columns as there are heights, widened where there is room, else thinned out."""
    count = len(heights)
    wide = max(1, _WIDTH // count)
    if count <= _WIDTH:
        return [height for height in heights for _ in range(wide)]
    return [heights[at * count // _WIDTH] for at in range(_WIDTH - 1)] + [heights[-1]]


def _cell(height: int | None, row: int) -> str:
    if height is None:
        return "░"
    return "█" if height >= row else " "
