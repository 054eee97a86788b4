"""Frozen values that are cheap to make: for those that every message makes anew.

`dataclass(frozen=True)` sets each field by a call that goes round its own lock: the 24 values of
a message were a tenth of the relay's CPU. These are set like the fields of any object. That nobody
changes one is the type checker's to see, to which they are what they are called; equality, hash
and `dataclasses.replace` are the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

__all__ = ["value"]

T = TypeVar("T")

if TYPE_CHECKING:
    from dataclasses import dataclass as value
else:

    def value(*, frozen: bool, slots: bool) -> Callable[[type[T]], type[T]]:
        """As `dataclass(frozen=True, slots=True)`, held to it by the type checker alone."""
        if not (frozen and slots):
            raise TypeError("a value is frozen, and has slots")
        return dataclass(slots=True, unsafe_hash=True)
