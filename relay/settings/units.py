"""Durations and sizes with their units, both ways."""

from __future__ import annotations

import re

from relay.settings.problems import Wrong, shown

_SECONDS = {
    "ms": 0.001,
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1.0),
    **dict.fromkeys(("min", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hour", "hours"), 3600.0),
    **dict.fromkeys(("d", "day", "days"), 86400.0),
}
_BYTES = {
    **dict.fromkeys(("", "b", "byte", "bytes"), 1),
    **{unit: 1000**power for power, unit in enumerate(("kb", "mb", "gb"), 1)},
    **{unit: 1024**power for power, unit in enumerate(("kib", "mib", "gib"), 1)},
}
_QUANTITY = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?)\s*([A-Za-z]*)\Z", re.ASCII)
_LONGEST_S = 366 * 86400.0
_MOST_BYTES = 2**40


def parse_duration(text: str) -> float:
    """Seconds of "30s", "5 min", "2h", "500ms", "1 day". Raises Wrong."""
    found = _QUANTITY.match(text.strip())
    factor = _SECONDS.get(found[2].lower()) if found else None
    if not found or factor is None:
        raise Wrong(f"{shown(text)} is not a duration with a unit, such as 30s, 5 min or 2h")
    seconds = round(float(found[1]) * factor, 3)
    if not 0 < seconds <= _LONGEST_S:
        raise Wrong(f"{shown(text)} is not between 1 ms and a year")
    return seconds


def duration_text(seconds: float) -> str:
    """The shortest way to write a duration, in one unit."""
    for unit in ("h", "min", "s"):
        if seconds >= _SECONDS[unit] and seconds % _SECONDS[unit] == 0:
            return f"{int(seconds / _SECONDS[unit])}{' ' if unit == 'min' else ''}{unit}"
    return f"{round(seconds * 1000)}ms"


def parse_size(value: str) -> int:
    """Bytes of "25 MiB", "10MB", "4096". Raises Wrong."""
    found = _QUANTITY.match(value.strip())
    factor = _BYTES.get(found[2].lower()) if found else None
    if not found or factor is None:
        raise Wrong(f"{shown(value)} is not a size, such as 25 MiB, 10MB or 4096")
    size = int(float(found[1]) * factor)
    if not 0 < size <= _MOST_BYTES:
        raise Wrong(f"{shown(value)} is not between 1 byte and 1024 GiB")
    return size


def size_text(size_bytes: int) -> str:
    """The shortest way to write a size, in binary units."""
    for unit in ("GiB", "MiB", "KiB"):
        factor = _BYTES[unit.lower()]
        if size_bytes % factor == 0:
            return f"{size_bytes // factor} {unit}"
    return str(size_bytes)
