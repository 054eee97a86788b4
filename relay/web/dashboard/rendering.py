"""Templates, and the filters by which they write numbers and times.

Everything is escaped; no page has a script or a style of its own (CSP). Static files are
linked with a digest of their content, so that a browser may keep them for ever.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from relay.core.policy.ramp import Cap
from relay.web.asgi import Whole

HERE: Final = Path(__file__).parent
STATIC: Final = HERE.parent / "static"
_STYLES: Final = {"full": "%a %-d %b %Y, %H:%M", "soon": "%a %-d %b, %H:%M", "time": "%H:%M:%S"}
HTML: Final = "text/html; charset=utf-8"


def number(count: Cap) -> str:
    """1,500; or unlimited."""
    return "unlimited" if count is None else f"{count:,}"


def clock_time(moment: datetime | None, zone: ZoneInfo, style: str = "full") -> Markup:
    """A moment in `zone`, with the zone's name, as a <time> element; a dash for None.

    `style`: `full` (date and time), `soon` (without the year) or `time` (the time alone).
    """
    if moment is None:
        return Markup("–")
    local = moment.astimezone(zone)
    name = local.tzname() or zone.key
    form = _STYLES[style]
    exact = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    return Markup('<time datetime="{}" title="{} · {}">{}&nbsp;{}</time>').format(
        exact, zone.key, exact, local.strftime(form), name
    )


def span(length: timedelta) -> str:
    """A length of time in its two largest units: 3 h 20 min."""
    minutes = max(0, int(length.total_seconds()) // 60)
    days, rest = divmod(minutes, 1440)
    hours, minutes = divmod(rest, 60)
    parts = [(days, "d"), (hours, "h"), (minutes, "min")]
    told = [f"{count} {unit}" for count, unit in parts if count][:2]
    return " ".join(told) or "less than a minute"


@cache
def asset(name: str) -> str:
    """The address of the static file `name`."""
    digest = sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,  # a template belongs to the code of this process
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"number": number, "clock": clock_time, "span": span}
    made.globals["asset"] = asset
    return made


def render(template: str, **values: Any) -> str:
    """The text of `template`."""
    return _environment().get_template(template).render(**values)


def error_page(status: int, told: str) -> Whole:
    """A page that only says what is wrong; it needs no viewer and no store."""
    text = render("error.html", status=status, told=told)
    return Whole(status, HTML, text.encode(), {})
