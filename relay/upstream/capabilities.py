"""What an upstream offers in its answer to EHLO."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_SIZE: Final = re.compile(r"[0-9]{1,20}")
"""RFC 1870 §4. Python refuses to read a number of thousands of digits."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """`keywords` in upper case, empty where only HELO was answered.

    `size_limit_bytes` is None where no fixed limit was given (RFC 1870 §3: none, or 0).
    """

    keywords: frozenset[str] = frozenset()
    size_limit_bytes: int | None = None

    def __contains__(self, keyword: str) -> bool:
        return keyword in self.keywords


def capabilities_of(extensions: Mapping[str, str]) -> Capabilities:
    """From the keywords of an EHLO reply, in any case, each with the rest of its line."""
    offered = {keyword.upper(): rest for keyword, rest in extensions.items()}
    size = offered.get("SIZE", "").strip()
    limit = int(size) if _SIZE.fullmatch(size) else 0
    return Capabilities(frozenset(offered), limit or None)
