"""Whether a store holds our layout of keys: claimed where it is empty, else compared."""

from __future__ import annotations

from typing import Any, Final

from redis.exceptions import ResponseError

from relay.store import calls, keys
from relay.store.commands import Command
from relay.store.troubles import WrongLayout

CLAIM: Final[Command[str]] = calls.claim_layout()
"""May be said any number of times."""


def check(answer: Any) -> None:
    """`answer` is what CLAIM was answered. Raises WrongLayout, or the error that it is."""
    if isinstance(answer, ResponseError):
        raise answer
    if (version := CLAIM.decode(answer)) != keys.LAYOUT_VERSION:
        raise WrongLayout(
            f"the store holds data in layout {version} (key {keys.LAYOUT}); this relay reads"
            f" layout {keys.LAYOUT_VERSION}: use the relay that wrote it, or another store"
        )
