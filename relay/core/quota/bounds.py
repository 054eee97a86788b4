"""Bounds: every limit that a policy sets a message, and how much of each is used.

`store/lua/walls.lua` draws the same bounds where it must be atomic; the contract tests hold
both against each other. What becomes of a message that would pass one is `walls.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from relay.core.policy.limits import part_of
from relay.core.policy.pacing import pace_at
from relay.core.policy.policy import MailClass
from relay.core.policy.ramp import Cap
from relay.core.policy.window import Window
from relay.core.quota.standing import Standing, Tally, cap_of, provider_cap_of
from relay.core.tenants.tenancy import Route

Split = tuple[tuple[str, int], ...]
"""Recipients by provider: each provider once."""


class WallKind(StrEnum):
    """What stopped a message; the label `wall` of `relay_deferrals_total`."""

    DOMAIN = "domain"
    MESSAGE = "message"
    PAUSED = "paused"
    DAY_OFF = "day-off"
    PROVIDER = "provider"
    HEADROOM = "headroom"
    HOUR = "hour"


@dataclass(frozen=True, slots=True)
class Bound:
    """One limit: `used` of `limit` sends, of a provider where there is one.

    `wanted` is what the message at hand asks of it; `kept_for` the class that the rest of the
    cap is kept for.
    """

    kind: WallKind
    used: int
    limit: int
    wanted: int
    provider: str | None = None
    kept_for: MailClass | None = None

    @property
    def is_passed(self) -> bool:
        """Whether the message would go beyond it."""
        return self.used + self.wanted > self.limit

    @property
    def which(self) -> tuple[WallKind, str | None, MailClass | None]:
        """What tells it from the other limits of its policy."""
        return self.kind, self.provider, self.kept_for


def bounds_on(
    route: Route,
    window: Window,
    standing: Standing,
    wanted: int = 0,
    split: Split = (),
    mail_class: MailClass | None = None,
) -> Iterator[Bound]:
    """Every limit for a message of `wanted` recipients, `split` saying whose they are.

    In the order in which they are named. None as `mail_class` is a message of which that is
    not known: headroom does not stop it.
    """
    policy = route.policy
    cap = cap_of(policy, window, standing)
    yield from _pool(route, standing, cap, wanted, None, mail_class)
    for provider, sends in split:
        limit = provider_cap_of(policy, window, standing, provider)
        yield from _pool(route, standing, limit, sends, provider, mail_class)
    pace = pace_at(policy.smoothing, policy.window, window, standing.at)
    if pace is not None and cap is not None:
        yield Bound(WallKind.HOUR, standing.paced, pace.open_of(cap), wanted)


def _pool(
    route: Route,
    standing: Standing,
    cap: Cap,
    wanted: int,
    provider: str | None,
    mail_class: MailClass | None,
) -> Iterator[Bound]:
    """The cap of the route or of a provider, and what others' headroom leaves of it."""
    if cap is None:
        return
    tally = standing.tally(provider)
    kind = WallKind.DOMAIN if provider is None else WallKind.PROVIDER
    yield Bound(kind, tally.charged, cap, wanted, provider)
    for other, ppm in route.policy.headroom_ppm.items():
        if mail_class not in {None, other}:
            left = cap - kept_for(other, ppm, cap, tally)
            yield Bound(WallKind.HEADROOM, tally.charged, left, wanted, provider, other)


def kept_for(mail_class: MailClass, ppm: int, cap: int, tally: Tally) -> int:
    """How much of `cap` nobody but `mail_class` may use: its share, less what it has used."""
    theirs = tally.transactional
    if mail_class is not MailClass.TRANSACTIONAL:
        theirs = tally.charged - tally.transactional
    return max(0, part_of(cap, ppm) - theirs)
