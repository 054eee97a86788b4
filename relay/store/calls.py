"""One typed wrapper per script: values of `core.quota` in, values of `core.quota` out.

The order of keys and arguments is that of the header of each `lua/*.lua`; nothing else in
Python knows it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from relay.core.quota import (
    Demand,
    Granted,
    Mark,
    Reservation,
    Seen,
    Standing,
    Verdict,
    Walled,
    wall_before,
)
from relay.core.ramp import Ramp
from relay.core.tenancy import Route, RouteId
from relay.core.window import Window
from relay.store import keys
from relay.store.commands import Command, Word, evalsha, script
from relay.store.slices import epoch_ms, from_epoch_ms, slice_at

TAKEN_MS: Final = 6 * 86_400_000
"""How long an acceptance is remembered: longer than MTAs retry (RFC 5321 §4.5.4.1: 4–5 days)."""

LEFT_MS: Final = 15 * 60_000
"""How long LEFT is: longer than a transaction with an upstream may take (§4.5.3.2: 10 min)."""

_UNLIMITED: Final = -1
_STANDING_COUNT: Final = 11


def reserve(demand: Demand, *, anew: bool) -> Command[Granted | Walled | Seen]:
    """`reserve.lua`."""
    route, window = demand.route, demand.window
    names = [*_reading_keys(route.id, window)]
    if demand.fingerprint is not None:
        names.append(keys.message(route.id.domain, demand.fingerprint))
    arguments = (
        *_reading_arguments(demand.now, window),
        *(demand.count, demand.reservation, str(slice_at(demand.now, window)), int(anew)),
        *(route.policy.ramp.advance.value, window.day),
        *_tiers(route.policy.ramp),
    )
    return evalsha(
        "reserve",
        script("reading", "reserve"),
        tuple(names),
        arguments,
        lambda answer: _found(demand, answer),
    )


def settle(reservation: Reservation, verdict: Verdict, now: datetime) -> Command[bool]:
    """`settle.lua`. True where this call recorded it."""
    route, window, fingerprint = reservation.route, reservation.window, reservation.fingerprint
    names = [keys.route(route), keys.window(route, window.label), keys.slices(route)]
    names += [keys.days(route), keys.unheard(route.domain)]
    if fingerprint is not None:
        names.append(keys.message(route.domain, fingerprint))
    member = keys.unheard_member(fingerprint or "", reservation.session)
    arguments = (epoch_ms(now), reservation.id, verdict.value, window.label, window.day)
    remembered = (reservation.session, member, TAKEN_MS)
    return evalsha("settle", script("settle"), tuple(names), (*arguments, *remembered), bool)


def left(reservation: Reservation, fingerprint: str, now: datetime) -> Command[None]:
    """`left.lua`."""
    route = reservation.route
    names = (keys.window(route, reservation.window.label), keys.message(route.domain, fingerprint))
    arguments = (epoch_ms(now), reservation.id, reservation.session, LEFT_MS)
    return evalsha("left", script("left"), names, arguments, _nothing)


def heard(reservation: Reservation, fingerprint: str) -> Command[None]:
    """`heard.lua`."""
    domain = reservation.route.domain
    member = keys.unheard_member(fingerprint, reservation.session)
    names = (keys.message(domain, fingerprint), keys.unheard(domain))
    return evalsha("heard", script("heard"), names, (reservation.session, member), _nothing)


def standing(route: Route, window: Window, now: datetime) -> Command[Standing]:
    """`standing.lua`."""
    return evalsha(
        "standing",
        script("reading", "standing"),
        _reading_keys(route.id, window),
        _reading_arguments(now, window),
        _standing,
    )


def pause(route: RouteId, reason: str, now: datetime) -> Command[bool]:
    """`pause.lua`."""
    return evalsha("pause", script("pause"), (keys.route(route),), (epoch_ms(now), reason), bool)


def resume(route: RouteId) -> Command[bool]:
    """`resume.lua`."""
    return evalsha("resume", script("resume"), (keys.route(route),), (), bool)


def graduate(route: RouteId, now: datetime) -> Command[bool]:
    """`graduate.lua`."""
    return evalsha("graduate", script("graduate"), (keys.route(route),), (epoch_ms(now),), bool)


def restart(route: RouteId) -> Command[bool]:
    """`restart.lua`."""
    return evalsha("restart", script("restart"), (keys.route(route),), (), bool)


def claim_layout() -> Command[str]:
    """`layout.lua`: the layout version that the store holds after it."""
    return evalsha("layout", script("layout"), (keys.LAYOUT,), (keys.LAYOUT_VERSION,), str)


def ping() -> Command[None]:
    """PING, which reads and writes nothing."""
    return Command("ping", ("PING",), _nothing)


def _reading_keys(route: RouteId, window: Window) -> tuple[str, ...]:
    counted = (keys.route(route), keys.window(route, window.label), keys.slices(route))
    return (*counted, keys.unheard(route.domain))


def _reading_arguments(now: datetime, window: Window) -> tuple[Word, ...]:
    return epoch_ms(now), window.label, epoch_ms(window.opens_at), epoch_ms(window.closes_at)


def _tiers(ramp: Ramp) -> tuple[int, ...]:
    pairs = [(tier.start, _UNLIMITED if tier.cap is None else tier.cap) for tier in ramp.tiers]
    return tuple(number for pair in pairs for number in pair)


def _found(demand: Demand, answer: list[Any]) -> Granted | Walled | Seen:
    outcome, numbers = answer[0], answer[1 : 1 + _STANDING_COUNT]
    if outcome == "seen":
        pairs = iter(answer[1 + _STANDING_COUNT :])
        return Seen({session: Mark(mark) for session, mark in zip(pairs, pairs, strict=True)})
    found = _standing(numbers)
    if outcome == "granted":
        return Granted(reservation_for(demand), found)
    wall = wall_before(demand.route, demand.window, found, demand.count)
    assert wall is not None, "reserve.lua found a wall where core.quota finds none"
    return Walled(wall)


def reservation_for(demand: Demand) -> Reservation:
    """The reservation that a granted `demand` becomes."""
    return Reservation(
        id=demand.reservation,
        route=demand.route.id,
        window=demand.window,
        count=demand.count,
        session=demand.session,
        fingerprint=demand.fingerprint,
    )


def _standing(numbers: list[Any]) -> Standing:
    charged, sent, unknown, first_day, first_at, lifetime, lifetime_open = numbers[:7]
    graduated_at, paused_at, reason, unheard = numbers[7:]
    return Standing(
        charged=charged,
        sent=sent,
        unknown=unknown,
        first_day=None if first_day is None else int(first_day),
        first_at=_instant(first_at),
        lifetime=lifetime,
        lifetime_open=lifetime_open,
        graduated_at=_instant(graduated_at),
        paused_at=_instant(paused_at),
        reason=reason or "",
        unheard=unheard,
    )


def _instant(milliseconds: str | None) -> datetime | None:
    return None if milliseconds is None else from_epoch_ms(int(milliseconds))


def _nothing(_answer: object) -> None:
    return None
