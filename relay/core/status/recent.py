"""What happened to a route's mail lately, for people: deferrals, and what the upstream said.

Never a recipient: an upstream's reply often quotes the address, which `without_addresses`
takes out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

MOST_KEPT: Final = 60
"""How many happenings of one route, deferrals and replies together, are kept."""

KEPT_S: Final = 14 * 86_400.0
MOST_TEXT: Final = 300

_ADDRESS: Final = re.compile(r"[^\s<>()\[\],;:\"]+@[^\s<>()\[\],;:\"]+")


class Kind(StrEnum):
    """`deferral`: a wall stopped it; `reply`: the upstream answered."""

    DEFERRAL = "deferral"
    REPLY = "reply"


@dataclass(frozen=True, slots=True)
class Happening:
    """`count` times the same, the last of them at `at`.

    `label` is the wall (`domain`, `provider google`), or the code of the reply. `opens_at` is
    when the wall opens, None where nobody knows or it is no wall.
    """

    kind: Kind
    label: str
    text: str
    at: datetime
    count: int = 1
    opens_at: datetime | None = None


def without_addresses(text: str) -> str:
    """`text`, cut to a bearable length, with every mail address taken out."""
    return _ADDRESS.sub("…", text)[:MOST_TEXT]
