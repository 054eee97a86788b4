"""A plan's chart as a file: SVG, or PNG drawn from it. Needs neither network nor display."""

from __future__ import annotations

from enum import StrEnum
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from relay.core.plan.chart import chart
from relay.core.plan.chart_style import Theme
from relay.core.plan.plan import Plan

ZOOM: Final = 2
"""Pixels of a PNG for each unit of the picture: 1920 wide, sharp on any screen."""

_FAMILIES: Final = (
    "DejaVu Sans", "Liberation Sans", "Noto Sans", "Open Sans", "Ubuntu", "Roboto", "Cantarell",
    "Helvetica Neue", "Helvetica", "Arial", "Segoe UI", "Verdana",
)  # fmt: skip

_LETTERS: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 60 20">'
    '<text y="15" font-family="sans-serif">{}</text></svg>'
)


class CannotDraw(Exception):
    """The chart cannot be written; says why and what would help."""


class ChartKind(StrEnum):
    """What a file's name ends in."""

    SVG = ".svg"
    PNG = ".png"


def kind_of(path: Path) -> ChartKind:
    """By its name. Raises CannotDraw, also where this machine has nothing that draws PNGs."""
    try:
        kind = ChartKind(path.suffix.lower())
    except ValueError:
        raise CannotDraw(f"{path} must end in .svg or .png") from None
    if kind is ChartKind.PNG and find_spec("resvg_py") is None:
        raise CannotDraw("a PNG needs resvg-py: pip install 'warmup-relay[png]', or write an .svg")
    return kind


def draw(plan: Plan, path: Path, kind: ChartKind, theme: Theme) -> None:
    """Write the chart of `plan` to `path`. Raises CannotDraw."""
    text = chart(plan, theme)
    content = text.encode() if kind is ChartKind.SVG else _png(text)
    try:
        path.write_bytes(content)
    except OSError as error:
        raise CannotDraw(f"{path} cannot be written: {error.strerror}") from None


def _png(text: str) -> bytes:
    render = import_module("resvg_py").svg_to_bytes
    blank = render(_LETTERS.format(""))
    # A family that is not installed draws nothing, and says nothing.
    for family in _FAMILIES:
        if render(_LETTERS.format("mail"), sans_serif_family=family) != blank:
            return bytes(render(text, zoom=ZOOM, sans_serif_family=family))
    raise CannotDraw(
        f"a PNG needs one of these fonts: {', '.join(_FAMILIES)}; install one, or write an .svg"
    )
