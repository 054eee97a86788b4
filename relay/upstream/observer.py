"""What this room reports of itself while it works."""

from __future__ import annotations

from typing import Protocol

from relay.core.reply import Reply


class Observer(Protocol):
    """Counts; must return at once and never raise."""

    def reply(self, upstream: str, answer: Reply) -> None:
        """`upstream` answered MAIL, RCPT, DATA or the final dot (relay_upstream_replies_total)."""
