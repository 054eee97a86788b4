"""Messages as nasty as real applications and attackers make them.

`nasty_messages` is what the relay must take and pass on byte for byte: every one of them is
from one address at `domain`, has CRLF lines and no dot-stuffing (the DATA payload).
"""

from __future__ import annotations

from tests.corpus.bodies import bodies
from tests.corpus.headers import headers
from tests.corpus.structures import structures

DOMAIN = "news.acme.example"


def nasty_messages(domain: str = DOMAIN) -> dict[str, bytes]:
    """Name → message. The names are sentences' subjects: "a line of 100 kB"."""
    return {**headers(domain), **bodies(domain), **structures(domain)}


__all__ = ["DOMAIN", "nasty_messages"]
