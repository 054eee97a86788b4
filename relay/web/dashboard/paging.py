"""A long list, a page at a time: which page is asked for, and what is on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

T = TypeVar("T")

PER_PAGE: Final = 50


@dataclass(frozen=True, slots=True)
class Part(Generic[T]):
    """What is shown: `rows`, from the place `first` (0 the first), of `count`; page of `last`."""

    rows: Sequence[T]
    first: int
    count: int
    number: int
    last: int


def page_number(text: str) -> int:
    """The page that is asked for; 1 for what is no number."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 1


def part_of(everything: Sequence[T], number: int) -> Part[T]:
    """Page `number`, or the nearest one that there is."""
    last = max(1, -(-len(everything) // PER_PAGE))
    number = min(max(1, number), last)
    first = (number - 1) * PER_PAGE
    return Part(everything[first : first + PER_PAGE], first, len(everything), number, last)
