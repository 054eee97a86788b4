"""The answers of the scripts as values of `core.quota`: the other half of `lua/telling.lua`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from relay.core.policy.window import Window, leaves_at
from relay.core.quota.reservation import (
    Answer,
    Demand,
    Elsewhere,
    Granted,
    Leaving,
    Mark,
    Part,
    Reservation,
    Seen,
    Standing,
    Tally,
    Walled,
    after_idling,
    wall_before,
)
from relay.core.tenants.tenancy import Route
from relay.store.slices import from_epoch_ms

MOST_KEPT: Final = 1024
"""Instants that a store tells again and again: a route's first send, its graduation, its pause."""


def found(demand: Demand, answer: list[Any]) -> Answer | None:
    """What `reserve.lua` answered to `demand`; None where another process has it under way."""
    outcome, more, *kept = answer
    if outcome == "granted":
        return Granted(reservation_for(demand), None if more < 0 else more)
    if outcome == "seen":
        return Seen({session: Mark(mark) for session, mark in _in_groups(more, 2)})
    if outcome == "under way":
        return None
    if outcome == "elsewhere":
        return Elsewhere(more)
    standing = _standing(more, demand.now)
    wall = wall_before(
        demand.route, demand.window, standing, demand.count, demand.split, demand.mail_class
    )
    assert wall is not None, "reserve.lua found a wall where core.quota finds none"
    return Walled(wall, is_kept=bool(kept))


def standing_of(route: Route, window: Window, now: datetime, told: list[Any]) -> Standing:
    """What `standing.lua` answered: as it is, or as idleness has made it."""
    return after_idling(route.policy, window, _standing(told, now))


def attempts(answer: list[Any]) -> tuple[dict[str, Mark], bool]:
    """What `attempts.lua` answered."""
    is_elsewhere, *marks = answer
    return {session: Mark(mark) for session, mark in _in_groups(marks, 2)}, is_elsewhere == 1


def reservation_for(demand: Demand) -> Reservation:
    """The reservation that a granted `demand` becomes."""
    return Reservation(
        id=demand.reservation,
        route=demand.route.id,
        window=demand.window,
        count=demand.count,
        session=demand.session,
        fingerprint=demand.fingerprint,
        campaign=demand.campaign.digest if demand.campaign else None,
    )


def parts_of(whole: Reservation, parts: Sequence[Part]) -> list[Reservation]:
    """The reservations that a divided `whole` becomes."""
    return [replace(whole, id=part.id, count=part.count, fingerprint=None) for part in parts]


def _standing(told: list[Any], now: datetime) -> Standing:
    numbers, pools, leaving = told
    charged, sent, unknown, first_day, first_at, lifetime, lifetime_open = numbers[:7]
    graduated_at, paused_at, reason, unheard, transactional, sending, qualified = numbers[7:14]
    paced, last_day, last_days, last_sends, base_days, base_sends, idled = numbers[14:]
    return Standing(
        charged=charged,
        sent=sent,
        unknown=unknown,
        first_day=first_day and int(first_day),
        first_at=first_at and _instant(first_at),
        lifetime=lifetime,
        lifetime_open=lifetime_open,
        graduated_at=graduated_at and _instant(graduated_at),
        paused_at=paused_at and _instant(paused_at),
        reason=reason or "",
        unheard=unheard,
        transactional=transactional,
        sending_days=sending,
        qualified_days=qualified,
        paced=paced,
        last_day=last_day and int(last_day),
        last_days=last_days and int(last_days),
        last_sends=last_sends and int(last_sends),
        base_days=int(base_days or 0),
        base_sends=int(base_sends or 0),
        idled=idled or "",
        providers={name: Tally(*counts) for name, *counts in _in_groups(pools, 5)},
        leaving=_leaving(leaving) if leaving else (),
        at=now,
    )


def _leaving(told: list[Any]) -> tuple[Leaving, ...]:
    groups = _in_groups(told, 4)
    return in_order((int(to), name or None, *counts) for to, name, *counts in groups)


def in_order(slices: Iterator[tuple[int, str | None, int, int]]) -> tuple[Leaving, ...]:
    """Charges in the order in which they leave, those of one instant and provider as one.

    Of each: the end of its slice (epoch s), its provider, how many, how many transactional.
    """
    sums: Counter[tuple[datetime, str]] = Counter()
    theirs: Counter[tuple[datetime, str]] = Counter()
    for to_s, provider, count, transactional in slices:
        place = leaves_at(from_epoch_ms(to_s * 1000)), provider or ""
        sums[place] += count
        theirs[place] += transactional
    return tuple(
        Leaving(at, provider or None, count, theirs[at, provider])
        for (at, provider), count in sorted(sums.items())
        if count
    )


def _in_groups(flat: list[Any], size: int) -> Iterator[tuple[Any, ...]]:
    return zip(*[iter(flat)] * size, strict=True)


@lru_cache(MOST_KEPT)
def _instant(milliseconds: str) -> datetime:
    return from_epoch_ms(int(milliseconds))
