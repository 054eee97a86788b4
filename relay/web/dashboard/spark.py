"""A spark line: the sends of some days as the bars of a small SVG, for a table's row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from markupsafe import Markup

HEIGHT: Final = 24
BAR: Final = 5
GAP: Final = 2


def spark(counts: Sequence[int], label: str) -> Markup:
    """`counts` from left to right; today, the last, stands out. `label` is read aloud."""
    top = max(*counts, 1)
    bars = [_bar(place, count, top) for place, count in enumerate(counts)]
    bars[-1] = _bar(len(counts) - 1, counts[-1], top, "today")
    width = len(counts) * (BAR + GAP) - GAP
    return Markup(
        '<svg class="spark" viewBox="0 0 {} {}" width="{}" height="{}" role="img" '
        'aria-label="{}">{}</svg>'
    ).format(width, HEIGHT, width, HEIGHT, label, Markup("").join(bars))


def _bar(place: int, count: int, top: int, kind: str = "") -> Markup:
    height = max(1.0, round(HEIGHT * count / top, 1)) if count else 1.0
    return Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}" rx="1"/>').format(
        kind if count else f"{kind} none".strip(), place * (BAR + GAP), HEIGHT - height, BAR, height
    )
