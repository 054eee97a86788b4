"""The mail that waits in a client's queue, by day of arrival and provider, oldest first.

Owns the order in which it goes out: oldest first, and of one day's mail evenly mixed, as a
mailing list in no particular order is. Whole numbers only. Knows no policy: what may go is
an argument.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from relay.core.policy.ramp import Cap

_BITS: Final = 96
"""Enough to tell any two places of a day's mail apart: they differ by 1 / (2 × 10^24) or more."""


@dataclass(slots=True)
class Backlog:
    """What waits. A message that has not gone `queue_days` after its day of arrival expires."""

    queue_days: int
    _cohorts: deque[tuple[int, dict[str, int]]] = field(default_factory=deque)

    def arrive(self, day: int, mail: Mapping[str, int]) -> None:
        """`mail` (sends by provider) comes on `day`, which is not before any day so far."""
        counts = {provider: count for provider, count in mail.items() if count}
        if counts:
            self._cohorts.append((day, counts))

    def expire(self, day: int) -> Counter[str]:
        """Take out what has waited for too long by `day`."""
        lost: Counter[str] = Counter()
        while self._cohorts and self._cohorts[0][0] < day - self.queue_days:
            lost.update(self._cohorts.popleft()[1])
        return lost

    def take(self, room: Cap, rooms: Mapping[str, Cap]) -> Counter[str]:
        """Take out what goes: at most `room` in all, and at most `rooms` of each provider."""
        taken: Counter[str] = Counter()
        for _, counts in self._cohorts:
            left = None if room is None else room - taken.total()
            if left == 0:
                break
            limits = {name: _left(rooms.get(name), taken[name]) for name in counts}
            for name, count in evenly(counts, limits, left).items():
                taken[name] += count
                counts[name] -= count
        self._cohorts = deque(
            (day, counts) for day, counts in self._cohorts if any(counts.values())
        )
        return taken

    def waiting(self) -> Counter[str]:
        """What waits, by provider."""
        found: Counter[str] = Counter()
        for _, counts in self._cohorts:
            found.update(counts)
        return found

    def by_age(self, day: int) -> tuple[tuple[int, tuple[tuple[str, int], ...]], ...]:
        """All that the coming days depend on: what waits, by its age on `day` and provider."""
        return tuple(
            (day - came, tuple(sorted(item for item in counts.items() if item[1])))
            for came, counts in self._cohorts
        )


def evenly(counts: Mapping[str, int], limits: Mapping[str, Cap], room: Cap) -> dict[str, int]:
    """How many of `counts` go first, each up to its limit, and `room` in all.

    The k-th of n messages to a provider stands at (k - ½) / n of the way through the mail; of
    two at one place the one to the provider first in the alphabet goes first.
    """
    most = {name: _lower(count, limits[name]) for name, count in counts.items()}
    if room is None or sum(most.values()) <= room:
        return most
    if len(most) == 1:
        return dict.fromkeys(most, room)
    low, high = 0, 1 << _BITS
    while high - low > 1:
        middle = (low + high) // 2
        if sum(_before(middle, counts, most).values()) <= room:
            low = middle
        else:
            high = middle
    taken, after = _before(low, counts, most), _before(high, counts, most)
    for name in sorted(counts):
        if after[name] > taken[name] and sum(taken.values()) < room:
            taken[name] += 1
    return taken


def _before(place: int, counts: Mapping[str, int], most: Mapping[str, int]) -> dict[str, int]:
    """How many of each stand before `place` / 2^_BITS of the way."""
    half = 1 << _BITS
    return {
        name: min(most[name], (2 * place * count + half) >> (_BITS + 1))
        for name, count in counts.items()
    }


def _left(limit: Cap, taken: int) -> Cap:
    return None if limit is None else limit - taken


def _lower(count: int, limit: Cap) -> int:
    return count if limit is None else min(count, max(0, limit))
