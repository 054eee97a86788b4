"""A past as the words of `lua/adopt.lua`, and what a dry run of it would leave behind.

The days whose sends may still count in a window become slices, each at the last instant of its
day (today's: now): then no window, whatever its kind, drops them too early (rule 1).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Final

from relay.core.policy.pacing import pace_at
from relay.core.policy.policy import Policy
from relay.core.policy.window import Window, leaves_at
from relay.core.quota.history import Past
from relay.core.quota.standing import Leaving, Standing, Tally, after_idling, cap_of, progress
from relay.core.tenants.tenancy import Route
from relay.store.commands import Word
from relay.store.slices import Slice, epoch_ms, from_epoch_ms, slice_at

CHART_DAYS: Final = 400
"""As many days are kept for charts; `lua/settle.lua` prunes to it too."""

_COUNTED: Final = timedelta(days=2)
"""Longer than a rolling window, and than clocks differ; shorter than slices are kept."""

_SLICES_MS: Final = 4 * 86_400_000
"""How long slices live, as after a send now: a long day, and three more."""

_TICK: Final = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Recent:
    """A day of a past, from `from_s` to `to_s` (epoch), that may still count in a window."""

    from_s: int
    to_s: int
    slice: Slice
    sends: int


@dataclass(frozen=True, slots=True)
class Added:
    """What is newly counted; `provider` is None for the route itself."""

    slice: Slice
    provider: str | None
    sends: int


def recent_days(policy: Policy, past: Past, now: datetime) -> Iterator[Recent]:
    """The days of `past` that may still count in a window at `now`, the oldest first."""
    for day, sends in sorted(past.sends.items()):
        opens_at = policy.window.boundary(date.fromordinal(day))
        closes_at = policy.window.boundary(date.fromordinal(day + 1))
        if closes_at + _COUNTED > now:
            at = min(now, closes_at - _TICK)
            place = slice_at(at, policy.window.at(at))
            yield Recent(epoch_ms(opens_at) // 1000, epoch_ms(closes_at) // 1000, place, sends)


def adopting_words(
    route: Route, past: Past, now: datetime, *, replaces: bool, dry: bool
) -> tuple[Word, ...]:
    """All of ARGV of `lua/adopt.lua`."""
    policy, window = route.policy, route.policy.window.at(now)
    today = after_idling(policy, window, past.standing_in(window))
    unit = "days" if policy.ramp.advance.counts_days else "sends"
    recent = [
        (day.from_s, day.to_s, str(day.slice), day.sends) for day in recent_days(policy, past, now)
    ]
    return (
        *(int(replaces), int(dry), _SLICES_MS),
        policy.ramp.qualifies_from(cap_of(policy, window, today)),
        f"{unit}:{progress(policy, window, today)}",
        *_listed(list(_fields(past.standing))),
        *_listed(recent),
        *_listed([(name,) for name in past.providers]),
        *_listed(sorted(past.sends.items())[-CHART_DAYS:]),
        *_listed([(day,) for day in sorted(past.sending)]),
        *_listed([(day,) for day in sorted(past.qualified)]),
    )


def _listed(rows: Sequence[tuple[Word, ...]]) -> tuple[Word, ...]:
    return len(rows), *(word for row in rows for word in row)


def _fields(standing: Standing) -> Iterator[tuple[Word, ...]]:
    """The fields of the route's hash that a past has to do with."""
    at = standing.first_at
    found: dict[str, Word | None] = {
        "first_day": standing.first_day,
        "first_at": None if at is None else epoch_ms(at),
        "lifetime": standing.lifetime,
        "last_day": standing.last_day,
        "last_days": standing.last_days,
        "last_sends": standing.last_sends,
        "base_days": standing.base_days or None,
        "base_sends": standing.base_sends or None,
        "idled": standing.idled or None,
    }
    return ((name, value) for name, value in found.items() if value is not None)


def added_of(answer: list[Any] | None) -> list[Added] | None:
    """What `lua/adopt.lua` answered; None: the route has sent, and is not to be replaced."""
    if answer is None:
        return None
    return [
        Added(Slice(*map(int, place.split("-"))), pool or None, int(sends))
        for place, pool, sends in zip(*[iter(answer)] * 3, strict=True)
    ]


def after_adopting(
    route: Route, held: Standing, past: Past, added: Sequence[Added], now: datetime
) -> Standing:
    """`held`, that of the window at `now`, as it would be with `past` and what it `added`."""
    policy, window = route.policy, route.policy.window.at(now)
    inside = [each for each in added if each.slice.overlaps(window)]
    own = sum(each.sends for each in inside if each.provider is None)
    told = past.standing_in(window)
    standing = replace(
        told,
        charged=held.charged + own,
        sent=held.sent + own,
        unknown=held.unknown,
        transactional=held.transactional,
        lifetime_open=max(0, told.lifetime - held.sent - own),
        paused_at=held.paused_at,
        reason=held.reason,
        unheard=held.unheard,
        paced=held.paced + _paced(policy, window, inside, now),
        providers=_tallies(held, inside),
        leaving=_leaving(held, inside) if window.slides else (),
        at=held.at,
    )
    return after_idling(policy, window, standing)


def _tallies(held: Standing, inside: Sequence[Added]) -> dict[str, Tally]:
    found = dict(held.providers)
    for each in inside:
        if each.provider is not None:
            was = found.get(each.provider, Tally())
            charged, sent = was.charged + each.sends, was.sent + each.sends
            found[each.provider] = replace(was, charged=charged, sent=sent)
    return found


def _paced(policy: Policy, window: Window, inside: Sequence[Added], now: datetime) -> int:
    pace = pace_at(policy.smoothing, policy.window, window, now)
    if pace is None:
        return 0
    span = Window("", 0, pace.since, pace.until)
    return sum(e.sends for e in inside if e.provider is None and e.slice.overlaps(span))


def _leaving(held: Standing, inside: Sequence[Added]) -> tuple[Leaving, ...]:
    found = {(each.at, each.provider): each for each in held.leaving}
    for each in inside:
        place = leaves_at(from_epoch_ms(each.slice.to_s * 1000)), each.provider
        was = found.get(place, Leaving(*place, 0))
        found[place] = replace(was, count=was.count + each.sends)
    return tuple(sorted(found.values(), key=lambda each: (each.at, each.provider or "")))
