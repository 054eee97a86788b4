"""A demand and its policy as the words of `lua/reserve.lua`: only here are they put in order.

What a policy says is put into words once for all messages of a while, not for each.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from relay.core.policy.limits import Limit, ProviderCap, Share
from relay.core.policy.pacing import Pace, pace_at
from relay.core.policy.policy import IdleAction, MailClass, Policy
from relay.core.policy.ramp import Ramp
from relay.core.policy.window import Window
from relay.core.quota.reservation import Campaign, Demand
from relay.store.commands import Word
from relay.store.slices import epoch_ms, slice_at

_UNLIMITED: Final = -1
_NEVER: Final = 0

UNDER_WAY_MS: Final = 15 * 60_000
"""How long an attempt is remembered as under way: longer than a transaction with an upstream may
take (RFC 5321 §4.5.3.2: 10 min)."""

MOST_FORMS: Final = 256
"""Policies whose words are kept."""


def reading_words(policy: Policy, window: Window, now: datetime) -> tuple[Word, ...]:
    """ARGV 1 to 8: what `lua/reading.lua` asks for."""
    pace = pace_at(policy.smoothing, policy.window, window, now)
    span = (0, 0) if pace is None else (epoch_ms(pace.since), epoch_ms(pace.until))
    counted = (epoch_ms(window.opens_at), epoch_ms(window.counted_to))
    return epoch_ms(now), window.label, *counted, window.day, *span, int(window.slides)


def reserving_words(demand: Demand, *, anew: bool, waits: bool) -> tuple[Word, ...]:
    """All of ARGV of `lua/reserve.lua`."""
    now_ms = epoch_ms(demand.now)
    form = _form_of(demand, now_ms)
    words = (
        *(now_ms, *form.of_window, demand.count, demand.reservation, form.slice, int(anew)),
        *(*form.of_class[demand.mail_class], len(demand.split), *form.of_ramp),
    )
    for provider, sends in demand.split:
        words += (provider, sends, *(form.of_provider.get(provider) or form.provider(provider)))
    words += (demand.session, UNDER_WAY_MS, int(waits))
    return words if demand.campaign is None else words + _campaign(demand, demand.campaign)


class _Form:
    """What all demands under `policy` in `window` say alike while the clock is in one slice.

    With smoothing, in one second. It is so from `from_ms` up to, not including, `to_ms`.
    """

    __slots__ = (
        *("from_ms", "of_class", "of_provider", "of_ramp", "of_window", "policy", "slice"),
        *("to_ms", "window"),
    )

    def __init__(self, policy: Policy, window: Window, now: datetime) -> None:
        slice_ = slice_at(now, window)
        self.policy, self.window, self.slice = policy, window, str(slice_)
        self.from_ms, self.to_ms = slice_.from_s * 1000, slice_.to_s * 1000
        if policy.smoothing is not None:
            second_ms = epoch_ms(now) // 1000 * 1000
            self.from_ms = max(self.from_ms, second_ms)
            self.to_ms = min(self.to_ms, second_ms + 1000)
        self.of_window = reading_words(policy, window, now)[1:]
        self.of_class = {each: _of_class(policy, each, window, now) for each in MailClass}
        self.of_ramp = (len(policy.ramp.tiers), *_tiers(policy.ramp))
        self.of_provider: dict[str, tuple[Word, ...]] = {}

    def is_of(self, window: Window, now_ms: int) -> bool:
        """Whether it says what a demand says then."""
        is_same = window is self.window or window == self.window
        return is_same and self.from_ms <= now_ms < self.to_ms

    def provider(self, name: str) -> tuple[Word, ...]:
        """What `of_provider` has of `name` from now on: its limits."""
        rule = self.policy.provider_cap(name) or ProviderCap(())
        pairs = [(tier.start, _limit(tier.limit)) for tier in rule.tiers]
        words = (len(pairs), *(number for pair in pairs for number in pair))
        self.of_provider[name] = words
        return words


_FORMS: Final[dict[int, _Form]] = {}
"""The forms used last, by the id of their policy, which they keep: routes share few policies."""


def _form_of(demand: Demand, now_ms: int) -> _Form:
    policy, window = demand.route.policy, demand.window
    form = _FORMS.get(id(policy))
    if form is not None and form.is_of(window, now_ms):
        return form
    if len(_FORMS) >= MOST_FORMS:
        _FORMS.clear()
    _FORMS[id(policy)] = form = _Form(policy, window, demand.now)
    return form


def _of_class(
    policy: Policy, mail_class: MailClass, window: Window, now: datetime
) -> tuple[Word, ...]:
    """ARGV 13 to 23."""
    return (
        *(int(mail_class is MailClass.TRANSACTIONAL), _kept_from(policy, mail_class)),
        *(int(policy.is_off(window.date)), *_idle(policy)),
        *(policy.ramp.advance.value, policy.ramp.qualify_ppm),
        *_pace(pace_at(policy.smoothing, policy.window, window, now)),
    )


def _campaign(demand: Demand, campaign: Campaign) -> tuple[Word, ...]:
    return campaign.keep_s * 1000, demand.route.id.upstream, *campaign.upstreams


def _kept_from(policy: Policy, mail_class: MailClass) -> int:
    """What headroom keeps from `mail_class`: there are two classes, so it is the other's."""
    return sum(ppm for other, ppm in policy.headroom_ppm.items() if other is not mail_class)


def _idle(policy: Policy) -> tuple[int, int]:
    if policy.idle is None:
        return _NEVER, 0
    return policy.idle.after_days, int(policy.idle.action is IdleAction.STEP_BACK)


def _pace(pace: Pace | None) -> tuple[int, ...]:
    if pace is None:
        return 1, 1, 0, 0
    return pace.numerator, pace.denominator, pace.rounding, _limit(pace.least)


def _tiers(ramp: Ramp) -> tuple[int, ...]:
    return tuple(number for tier in ramp.tiers for number in (tier.start, _limit(tier.cap)))


def _limit(limit: Limit) -> int:
    """One word for a limit, as `lua/limits.lua` describes it."""
    if isinstance(limit, Share):
        return -1 - limit.ppm
    return _UNLIMITED if limit is None else limit
