"""The table as a bar chart in SVG, readable in light and dark."""

from __future__ import annotations

from html import escape
from typing import Any

SHAPE = "20 reused"
LEFT, RIGHT, ROW, BAR = 250, 250, 34, 18
WIDTH = 900
STYLE = (
    "<style>text{font:14px sans-serif;fill:#222}.b{fill:#4a78b5}.o{fill:#c2571a}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}}</style>"
)


def as_svg(document: dict[str, Any]) -> str:
    """Messages a second at SHAPE; the direct send is a line of text, for it dwarfs the others."""
    entries = {name: e for name, e in document["systems"].items() if SHAPE in e["messages_s"]}
    shown = [entry for name, entry in entries.items() if name != "direct"]
    most = max((entry["messages_s"][SHAPE] for entry in shown), default=1)
    bars = [_bar(number, entry, most) for number, entry in enumerate(shown)]
    height = 60 + ROW * len(shown) + 30
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        'aria-label="messages a second by system">'
    )
    title = f"Messages a second, {SHAPE} sessions, 10 kB"
    foot = f'<text x="10" y="{height - 10}">{escape(_foot(document, entries))}</text>'
    return "\n".join(
        [head, STYLE, f'<text x="10" y="24">{title}</text>', *bars, foot, "</svg>", ""]
    )


def _bar(number: int, entry: dict[str, Any], most: float) -> str:
    rate, cpu = entry["messages_s"][SHAPE], entry["cpu_s_per_1000"][SHAPE]
    top = 44 + number * ROW
    long = max(2, round((WIDTH - LEFT - RIGHT) * rate / most))
    kind = "o" if number == 0 else "b"
    name = escape(entry["title"][:32])
    note = f"{rate:.0f}/s, {'queued; ' if entry['queues'] else ''}{cpu:.1f} CPU s/1000"
    return (
        f'<text x="{LEFT - 10}" y="{top + 14}" text-anchor="end">{name}</text>'
        f'<rect class="{kind}" x="{LEFT}" y="{top}" width="{long}" height="{BAR}"/>'
        f'<text x="{LEFT + long + 8}" y="{top + 14}">{note}</text>'
    )


def _foot(document: dict[str, Any], entries: dict[str, Any]) -> str:
    direct = entries.get("direct", {}).get("messages_s", {}).get(SHAPE)
    without = f"; without any relay {direct:.0f}/s" if direct else ""
    return f"{document['date']}, {document['machine']['cores']} cores{without}"
