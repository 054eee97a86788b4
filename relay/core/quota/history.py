"""A past that the relay has not counted itself: what a route sent before it came here.

Owns the replay: day by day through the policy, with the same arithmetic as the live quota, so
that the route stands as if the relay had sent all of it. Where the days come from (a file) and
how a store takes them over are not known here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

from relay.core.policy.policy import ANY_OTHER, Policy
from relay.core.policy.window import Window
from relay.core.quota.standing import Standing, after_idling, cap_of, progress


@dataclass(frozen=True, slots=True)
class Past:
    """What a route has sent, by the ordinal of the day in its policy's zone; each at least 1.

    `standing` is how it stood after the last of them: its fields of days, lifetime, base and
    idleness only. `sending` and `qualified` are the days that a ramp counts: those since the
    last restart by idleness.

    A past does not say to whom it went: each of `providers`, those with caps of their own, is
    taken to have had all that still counts.
    """

    sends: Mapping[int, int]
    standing: Standing
    sending: frozenset[int]
    qualified: frozenset[int]
    providers: tuple[str, ...] = ()

    def standing_in(self, window: Window) -> Standing:
        """The route as `window` opens, today's own sends left out; idleness is not looked at."""
        today = self.sends.get(window.day, 0)
        return replace(
            self.standing,
            lifetime_open=max(0, self.standing.lifetime - today),
            sending_days=sum(day < window.day for day in self.sending),
            qualified_days=sum(day < window.day for day in self.qualified),
        )


def past_of(policy: Policy, sends: Mapping[int, int], known: frozenset[str]) -> Past:
    """The past of a route under `policy` that has sent so much on each day (by its ordinal).

    A day may have sent more than its cap: nobody held it back then. `known` are the names of
    all providers. Raises ValueError where nothing was sent.
    """
    past = Past({}, Standing(), frozenset(), frozenset(), _walled(policy, known))
    for day in sorted(day for day, count in sends.items() if count):
        past = _lived(policy, past, day, sends[day])
    if not past.sends:
        raise ValueError("nothing was sent")
    return past


def _lived(policy: Policy, past: Past, day: int, count: int) -> Past:
    """`past` and one day more: what the first reservation and the settlements would have done."""
    opens_at = policy.window.boundary(date.fromordinal(day))
    window = Window("", day, opens_at, opens_at)
    opened = past.standing_in(window)
    standing = after_idling(policy, window, opened)
    sending, qualified = past.sending, past.qualified
    if standing is not opened:
        sending = qualified = frozenset()
    if count >= policy.ramp.qualifies_from(cap_of(policy, window, standing)):
        qualified |= {day}
    at, counts_days = progress(policy, window, standing), policy.ramp.advance.counts_days
    is_first = standing.first_day is None
    after = replace(
        standing,
        first_day=day if is_first else standing.first_day,
        first_at=opens_at if is_first else standing.first_at,
        lifetime=standing.lifetime + count,
        last_day=day,
        last_days=at if counts_days else None,
        last_sends=None if counts_days else at,
    )
    sends = {**past.sends, day: count}
    return replace(past, sends=sends, standing=after, sending=sending | {day}, qualified=qualified)


def _walled(policy: Policy, known: frozenset[str]) -> tuple[str, ...]:
    if ANY_OTHER in policy.providers:
        return tuple(sorted(known))
    return tuple(sorted(policy.providers))
