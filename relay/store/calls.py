"""One typed wrapper per script: values of `core.quota` in, values of `core.quota` out.

The order of keys and arguments is that of the header of each `lua/*.lua`; in Python only
this module, `demands.py` (what is said) and `answers.py` (what is answered) know it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Final

from relay.core.policy.window import Window
from relay.core.quota.history import Past
from relay.core.quota.reservation import Answer, Demand, Mark, Part, Reservation, Standing, Verdict
from relay.core.tenants.tenancy import Route, RouteId
from relay.store import answers, keys
from relay.store.answers import found, standing_of
from relay.store.commands import Command, Word, evalsha, script
from relay.store.demands import UNDER_WAY_MS, reading_words, reserving_words
from relay.store.pasts import Added, added_of, adopting_words
from relay.store.slices import epoch_ms

TAKEN_MS: Final = 6 * 86_400_000
"""How long an acceptance is remembered: longer than MTAs retry (RFC 5321 §4.5.4.1: 4–5 days)."""

LEFT_MS: Final = UNDER_WAY_MS
"""How long LEFT is: its outcome is still open."""

_BEFORE: Final = (
    "reading",
    "summing",
    "telling",
    "limits",
    "walls",
    "idling",
    "charging",
    "campaigns",
    "attempts_at",
)
RESERVE: Final = (*_BEFORE, "reserve")
SETTLE: Final = ("campaigns", "settle")
STANDING: Final = ("reading", "summing", "telling", "standing")
ATTEMPTS: Final = ("attempts_at", "attempts")
"""The files that a script of several is made of, one after the other."""

OF_MAIL: Final = (RESERVE, SETTLE, STANDING, ATTEMPTS, ("divide",), ("left",), ("heard",))
"""What a message may need. A server that lacks one is taught all of them: `left` was said, was not
known, and the reservation of a retry went past it while it was taught (rule 3)."""


def reserve(demand: Demand, *, anew: bool, waits: bool) -> Command[Answer | None]:
    """`reserve.lua`. None, only where it `waits`: another process has an attempt under way."""
    route, campaign = demand.route.id, demand.campaign.digest if demand.campaign else None
    names = reading_keys(route, demand.window)
    names += _of_message(route.domain, demand.fingerprint, campaign)
    words = reserving_words(demand, anew=anew, waits=waits)
    return evalsha("reserve", script(*RESERVE), names, words, partial(found, demand))


def divide(whole: Reservation, parts: Sequence[Part]) -> Command[bool]:
    """`divide.lua`. True where this call divided it."""
    words: list[Word] = [whole.id]
    for part in parts:
        shares = ",".join(f"{name}={sends}" for name, sends in part.split)
        words += [part.id, part.count, shares]
    campaign = _of_message(whole.route.domain, None, whole.campaign)
    names = (keys.window(whole.route, whole.window.label), *campaign)
    return evalsha("divide", script("divide"), names, tuple(words), bool)


def settle(reservation: Reservation, verdict: Verdict, now: datetime) -> Command[bool]:
    """`settle.lua`. True where this call recorded it."""
    route, window, fingerprint = reservation.route, reservation.window, reservation.fingerprint
    names = keys.counted(route.domain, route.upstream, window.label)
    more = _of_message(route.domain, fingerprint, reservation.campaign)
    member = keys.unheard_member(fingerprint or "", reservation.session)
    arguments = (epoch_ms(now), reservation.id, verdict.value, window.label, window.day)
    remembered = (reservation.session, member, TAKEN_MS, int(reservation.campaign is not None))
    return evalsha("settle", script(*SETTLE), names + more, (*arguments, *remembered), bool)


def give_back(reservation: Reservation, now: datetime) -> Command[bool]:
    """A refund of what nobody was told of: no replica is waited for, for a loss under-uses only."""
    return replace(settle(reservation, Verdict.REFUND, now), verb="give back")


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


def attempts(
    domain: str, fingerprint: str, session: str, now: datetime
) -> Command[tuple[dict[str, Mark], bool]]:
    """`attempts.lua`: the earlier ones, and whether another process has one under way."""
    names = (keys.message(domain, fingerprint),)
    words = (epoch_ms(now), session, UNDER_WAY_MS)
    return evalsha("attempts", script(*ATTEMPTS), names, words, answers.attempts)


def standing(route: Route, window: Window, now: datetime) -> Command[Standing]:
    """`standing.lua`."""
    return evalsha(
        "standing",
        script(*STANDING),
        reading_keys(route.id, window),
        reading_words(route.policy, window, now),
        lambda told: standing_of(route, window, now, told),
    )


def start(route: RouteId, now: datetime) -> Command[bool]:
    """`start.lua`."""
    return evalsha("start", script("start"), (keys.route(route),), (epoch_ms(now),), bool)


def pause(route: RouteId, reason: str, now: datetime) -> Command[bool]:
    """`pause.lua`."""
    return evalsha("pause", script("pause"), (keys.route(route),), (epoch_ms(now), reason), bool)


def tell_of_pause(mark: str) -> Command[None]:
    """HSET: who follows the domains hears that a route is paused. `mark` is a new text."""
    return Command("tell of pause", ("HSET", keys.DOMAIN_MARKS, keys.LATEST, mark), _nothing)


def resume(route: RouteId) -> Command[bool]:
    """`resume.lua`."""
    return evalsha("resume", script("resume"), (keys.route(route),), (), bool)


def graduate(route: RouteId, now: datetime) -> Command[bool]:
    """`graduate.lua`."""
    return evalsha("graduate", script("graduate"), (keys.route(route),), (epoch_ms(now),), bool)


def restart(route: RouteId) -> Command[bool]:
    """`restart.lua`."""
    names = (keys.route(route), keys.sending_days(route), keys.qualified_days(route))
    return evalsha("restart", script("restart"), names, (), bool)


def adopt(
    route: Route, past: Past, now: datetime, *, replaces: bool, dry: bool
) -> Command[list[Added] | None]:
    """`adopt.lua`: what is newly counted; None where the route has sent (nothing is changed)."""
    window = route.policy.window.at(now)
    counted = (keys.route(route.id), keys.window(route.id, window.label), keys.slices(route.id))
    days = (keys.days(route.id), keys.sending_days(route.id), keys.qualified_days(route.id))
    words = adopting_words(route, past, now, replaces=replaces, dry=dry)
    return evalsha("adopt", script("adopt"), (*counted, *days), words, added_of)


def claim_layout() -> Command[str]:
    """`layout.lua`: the layout version that the store holds after it."""
    return evalsha("layout", script("layout"), (keys.LAYOUT,), (keys.LAYOUT_VERSION,), str)


def ping() -> Command[None]:
    """A write that leaves nothing: a server with no room for a charge still answers PING.

    With `wait_replicas` it waits for them, as a charge does.
    """
    return Command("ping", ("SET", keys.PROBE, 1, "PX", keys.PROBE_MS), _nothing)


def reading_keys(route: RouteId, window: Window) -> tuple[str, ...]:
    """KEYS 1 to 6: what `lua/reading.lua` asks for."""
    return keys.read(route.domain, route.upstream, window.label)


def _of_message(domain: str, fingerprint: str | None, campaign: str | None) -> tuple[str, ...]:
    """The last of KEYS: the memory of a message, and its campaign, where it has them."""
    message = () if fingerprint is None else (keys.message(domain, fingerprint),)
    return message if campaign is None else (*message, keys.campaign(domain, campaign))


def _nothing(_answer: object) -> None:
    return None
