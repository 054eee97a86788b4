"""Slices: the grain in which charges are remembered apart from the window they were made in.

A window is a view over slices, so that an edit of a policy's zone or `starts` forgets
nothing (rule 1). A slice is a quarter of an hour of the epoch, cut at the boundaries of the
window that was in force: two consecutive windows never share one, even where `starts` or an
offset is no multiple of 15 minutes. (All offsets of the IANA database in use today are
multiples of 15 minutes; some historical ones are not.) A slice that straddles a boundary of
another window, which takes an edit to such a `starts`, is counted into it whole: the count
is then too high by at most 15 minutes of mail, never too low.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from relay.core.policy.window import SLICE_S, Window

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Slice:
    """From `from_s` up to, not including, `to_s`: whole seconds of the Unix epoch."""

    from_s: int
    to_s: int

    def __str__(self) -> str:
        return f"{self.from_s}-{self.to_s}"

    def overlaps(self, window: Window) -> bool:
        """Whether the window counts it: any instant lies in both."""
        opens, closes = epoch_ms(window.opens_at), epoch_ms(window.counted_to)
        return self.to_s * 1000 > opens and self.from_s * 1000 < closes


def slice_at(now: datetime, window: Window) -> Slice:
    """The slice of `window` that `now` falls in (its nearest one if `now` is outside)."""
    opens_s, closes_s = epoch_ms(window.opens_at) // 1000, epoch_ms(window.closes_at) // 1000
    now_s = min(max(epoch_ms(now) // 1000, opens_s), closes_s - 1)
    floor_s = now_s - now_s % SLICE_S
    return Slice(max(floor_s, opens_s), min(floor_s + SLICE_S, closes_s))


def epoch_ms(instant: datetime) -> int:
    """Whole milliseconds since the Unix epoch, rounded down. `instant` is aware."""
    return (instant - _EPOCH) // _MILLISECOND


def from_epoch_ms(milliseconds: int) -> datetime:
    """The aware UTC instant of `epoch_ms`."""
    return _EPOCH + timedelta(milliseconds=milliseconds)
