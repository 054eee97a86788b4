"""A plan as a picture: SVG text, with nothing but the standard library.

Owns what is drawn where. Sent are bars (in parts, a provider each), the backlog is an area, the
cap a step line; what is above the scale (or unlimited) is dashed along the upper edge. The
picture carries its own background and, unless asked for one scheme, follows the reader's; its
colours are `chart_style.py`. `title` and `desc` say in words what it shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Final
from xml.sax.saxutils import escape  # writes XML, reads none  # nosec B406

from relay.core.plan.chart_style import Part, Theme, parts_of, style_of
from relay.core.plan.plan import Plan, PlanDay
from relay.core.plan.sentences import sentences

_WIDTH: Final = 960
_HEIGHT: Final = 460
_LEFT, _RIGHT, _TOP, _BOTTOM = 84, 936, 84, 384
_TICKS: Final = 5
_PART_WIDTH: Final = 140
_MILLION: Final = 10**6
_DATES: Final = 8
_ROOM_ABOVE: Final = 1.5
"""A cap of up to this times the mail is in the picture; a higher one would flatten the rest."""


@dataclass(frozen=True, slots=True)
class _Scale:
    """Days and counts to places in the picture."""

    days: int
    top: int

    def x(self, day: float) -> str:
        return f"{_LEFT + (_RIGHT - _LEFT) * day / self.days:.2f}"

    def y(self, count: int) -> str:
        return f"{_BOTTOM - (_BOTTOM - _TOP) * min(count, self.top) / self.top:.2f}"

    def is_above(self, row: PlanDay) -> bool:
        return row.cap is None or row.cap > self.top


def chart(plan: Plan, theme: Theme = Theme.AUTO) -> str:
    """The plan as a document of type image/svg+xml."""
    scale = _Scale(len(plan.days), _top(plan))
    name = f"Warm-up plan: {plan.policy}"
    told = " ".join(sentences(plan))
    parts = [
        _opening(),
        f'<title id="name">{escape(name)}</title>',
        f'<desc id="told">{escape(_described(plan, told))}</desc>',
        f"<style>\n{style_of(theme)}</style>",
        f'<rect class="bg" width="{_WIDTH}" height="{_HEIGHT}"/>',
        f'<text class="name" x="{_LEFT}" y="30">{escape(name)}</text>',
        *_legend(plan),
        *_counts(scale),
        *_dates(plan, scale),
        *_drawn(plan, scale),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _opening() -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        'aria-labelledby="name told">'
    )


def _described(plan: Plan, told: str) -> str:
    first, last = plan.days[0], plan.days[-1]
    return (
        f"{len(plan.days)} days from {first.date} to {last.date}: the daily cap as a step line, "
        f"mail sent as bars, mail waiting as an area. {told}"
    )


def _top(plan: Plan) -> int:
    """The count at the upper edge: a round number."""
    mail = max(max(row.sent, row.backlog, row.arrived) for row in plan.days)
    room = mail * _ROOM_ABOVE if mail else float("inf")
    caps = [row.cap for row in plan.days if row.cap is not None and row.cap <= room]
    return _round_up(max([mail, *caps, 1]))


def _round_up(count: int) -> int:
    """The next number of the form 1, 2, 2.5 or 5 times a power of ten, times up to _TICKS."""
    step = _step(count)
    return -(-count // step) * step


def _step(count: int) -> int:
    """The distance of the grid's lines, so that there are at most _TICKS."""
    power = 1
    while True:
        for tenths in (10, 20, 25, 50):
            step = power * tenths // 10
            if step * _TICKS >= count:
                return step
        power *= 10


def _counts(scale: _Scale) -> Iterator[str]:
    def name(count: int) -> str:
        return f"{count / _MILLION:,g} M" if scale.top >= 10 * _MILLION else f"{count:,}"

    for count in range(0, scale.top + 1, _step(scale.top)):
        y = scale.y(count)
        yield f'<line class="grid" x1="{_LEFT}" x2="{_RIGHT}" y1="{y}" y2="{y}"/>'
        yield f'<text x="{_LEFT - 8}" y="{y}" dy="4" text-anchor="end">{name(count)}</text>'


def _dates(plan: Plan, scale: _Scale) -> Iterator[str]:
    every = -(-len(plan.days) // _DATES)
    yield f'<line class="axis" x1="{_LEFT}" x2="{_RIGHT}" y1="{_BOTTOM}" y2="{_BOTTOM}"/>'
    for row in plan.days[::every]:
        middle = scale.x(row.day + 0.5)
        yield f'<text x="{middle}" y="404" text-anchor="middle">day {row.day}</text>'
        yield f'<text x="{middle}" y="424" text-anchor="middle">{row.date}</text>'


def _legend(plan: Plan) -> Iterator[str]:
    yield from _sent_legend(plan)
    at = _LEFT if plan.providers else _LEFT + 70
    yield f'<rect class="backlog" x="{at}" y="48" width="14" height="12"/>'
    yield f'<text x="{at + 20}" y="59">waiting at the end of the day</text>'
    yield f'<path class="cap" d="M{_LEFT + 290} 54h22"/>'
    yield f'<text x="{_LEFT + 318}" y="59">cap</text>'
    yield f'<path class="cap above" d="M{_LEFT + 360} 54h22"/>'
    yield f'<text x="{_LEFT + 388}" y="59">cap above the scale, or unlimited</text>'
    yield f'<text x="{_LEFT}" y="{_TOP - 14}" text-anchor="end">sends a day</text>'


def _sent_legend(plan: Plan) -> Iterator[str]:
    """`sent`, and below it a colour a provider."""
    if not plan.providers:
        yield f'<rect class="sent" x="{_LEFT}" y="48" width="14" height="12"/>'
        yield f'<text x="{_LEFT + 20}" y="59">sent</text>'
        return
    yield f'<text x="{_LEFT - 8}" y="{_HEIGHT - 11}" text-anchor="end">sent to</text>'
    for at, part in enumerate(parts_of(plan)):
        x = _LEFT + _PART_WIDTH * at
        yield f'<rect class="{part.style}" x="{x}" y="{_HEIGHT - 22}" width="14" height="12"/>'
        yield f'<text x="{x + 20}" y="{_HEIGHT - 11}">{escape(part.name)}</text>'


def _drawn(plan: Plan, scale: _Scale) -> Iterator[str]:
    if area := _backlog(plan, scale):
        yield area
    if parts := parts_of(plan):
        yield from (each for row in plan.days for each in _stack(row, parts, scale))
    else:
        yield from (_bar("sent", row.day, 0, row.sent, scale) for row in plan.days if row.sent)
    yield from _caps(plan, scale)


def _caps(plan: Plan, scale: _Scale) -> Iterator[str]:
    """The cap: a path for each stretch of days on which it is in the picture, or above it.

    Each but the first begins where the one before ends.
    """
    last: PlanDay | None = None

    def level(row: PlanDay) -> int:
        return scale.top if row.cap is None else row.cap

    for is_above, stretch in groupby(plan.days, scale.is_above):
        rows = list(stretch)
        kind = "cap above" if is_above else "cap"
        yield f'<path class="{kind}" d="{_steps(rows, scale, level, last)}"/>'
        last = rows[-1]


def _stack(row: PlanDay, parts: list[Part], scale: _Scale) -> Iterator[str]:
    """The bar of a day in its parts."""
    sent, below = {each.provider: each.sent for each in row.providers}, 0
    for part in parts:
        count = sum(sent[name] for name in part.providers)
        if count:
            yield _bar(part.style, row.day, below, below + count, scale)
        below += count


def _bar(style: str, day: int, low: int, high: int, scale: _Scale) -> str:
    left, right = float(scale.x(day + 0.1)), float(scale.x(day + 0.9))
    y = scale.y(high)
    return (
        f'<rect class="{style}" x="{left}" y="{y}" width="{right - left:.2f}" '
        f'height="{float(scale.y(low)) - float(y):.2f}"/>'
    )


def _backlog(plan: Plan, scale: _Scale) -> str:
    if not any(row.backlog for row in plan.days):
        return ""
    steps = _steps(list(plan.days), scale, lambda row: row.backlog)
    return f'<path class="backlog" d="{steps}V{_BOTTOM}H{scale.x(0)}Z"/>'


def _steps(
    rows: list[PlanDay],
    scale: _Scale,
    level: Callable[[PlanDay], int],
    last: PlanDay | None = None,
) -> str:
    """A path along the tops of `rows`, from the height of `last` where there is one."""
    start = f"M{scale.x(rows[0].day)} {scale.y(level(last or rows[0]))}"
    return start + "".join(f"V{scale.y(level(row))}H{scale.x(row.day + 1)}" for row in rows)
