"""A tenant's own looks on the pages: name, logo and colour (white label)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

COLOUR: Final = re.compile(r"#[0-9a-fA-F]{6}")
LIGHT_SURFACE: Final = "#eef2f7"
"""Of all that a link stands on in the light theme the darkest (`--raised` of app.css)."""

DARK_SURFACE: Final = "#1f2832"
"""In the dark theme the lightest."""

LEAST_CONTRAST: Final = 4.5
"""Of text on what it stands on (WCAG 2.2, success criterion 1.4.3)."""


@dataclass(frozen=True, slots=True)
class Brand:
    """What stands in place of the relay's own. None and "" are the relay's."""

    name: str = ""
    logo: Path | None = None
    colour: str = ""


def legible(colour: str, surface: str) -> str:
    """`colour` (#rrggbb), made darker or lighter until it can be read on `surface`."""
    is_light = _luminance(surface) > 0.5
    target = 0 if is_light else 255
    channels = _channels(colour)
    for step in range(21):
        share = step / 20
        mixed = [round(each + (target - each) * share) for each in channels]
        found = "#" + "".join(f"{each:02x}" for each in mixed)
        if contrast(found, surface) >= LEAST_CONTRAST:
            return found
    return "#000000" if is_light else "#ffffff"


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, 1 to 21 (WCAG 2.2)."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _channels(colour: str) -> list[int]:
    return [int(colour[at : at + 2], 16) for at in (1, 3, 5)]


def _luminance(colour: str) -> float:
    linear = [
        each / 255 / 12.92 if each <= 10 else ((each / 255 + 0.055) / 1.055) ** 2.4
        for each in _channels(colour)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
