"""The colours of a plan's chart, light and dark, and which provider has which."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from relay.core.plan.plan import Plan

MOST_PARTS: Final = 6
"""Colours that can be told apart; of more providers the smaller ones share the last."""

THE_REST: Final = "all others"

_SHAPES: Final = """\
text { font: 13px system-ui, sans-serif; }
.name { font-size: 17px; font-weight: 600; }
.backlog { fill-opacity: 0.35; }
.cap { fill: none; stroke-width: 2; } .above { stroke-dasharray: 6 4; }
"""
_LIGHT: Final = """\
text { fill: #24292f; }
.bg { fill: #ffffff; } .grid { stroke: #d0d7de; } .axis { stroke: #57606a; }
.sent { fill: #0969da; } .backlog { fill: #bf8700; stroke: #9a6700; }
.cap { stroke: #cf222e; }
.p0 { fill: #0969da; } .p1 { fill: #1a7f37; } .p2 { fill: #8250df; }
.p3 { fill: #3192aa; } .p4 { fill: #bf3989; } .p5 { fill: #6e7781; }
"""
_DARK: Final = """\
text { fill: #e6edf3; }
.bg { fill: #0d1117; } .grid { stroke: #30363d; } .axis { stroke: #8b949e; }
.sent { fill: #58a6ff; } .backlog { fill: #d29922; stroke: #e3b341; }
.cap { stroke: #ff7b72; }
.p0 { fill: #58a6ff; } .p1 { fill: #3fb950; } .p2 { fill: #bc8cff; }
.p3 { fill: #56d4dd; } .p4 { fill: #ff9bce; } .p5 { fill: #8b949e; }
"""


class Theme(StrEnum):
    """Whose scheme a picture has: the reader's, or one for good."""

    AUTO = "auto"
    LIGHT = "light"
    DARK = "dark"


def style_of(theme: Theme) -> str:
    """The style sheet. Light comes first: a reader that knows no schemes stops there."""
    if theme is Theme.DARK:
        return _SHAPES + _DARK
    if theme is Theme.LIGHT:
        return _SHAPES + _LIGHT
    return f"{_SHAPES}{_LIGHT}@media (prefers-color-scheme: dark) {{\n{_DARK}}}\n"


@dataclass(frozen=True, slots=True)
class Part:
    """A part of each bar: `providers` under one `name`, in one colour."""

    name: str
    providers: tuple[str, ...]
    style: str


def parts_of(plan: Plan) -> list[Part]:
    """The parts of the bars from the bottom up: the provider with most mail first."""
    total = {name: sum(row.sent for row in plan.of(name)) for name in plan.providers}
    names = sorted(total, key=lambda name: (-total[name], name))
    if len(names) <= MOST_PARTS:
        return [Part(name, (name,), f"p{at}") for at, name in enumerate(names)]
    first, rest = names[: MOST_PARTS - 1], names[MOST_PARTS - 1 :]
    parts = [Part(name, (name,), f"p{at}") for at, name in enumerate(first)]
    return [*parts, Part(THE_REST, tuple(rest), f"p{MOST_PARTS - 1}")]
