"""A demand and its policy as the words of `lua/reserve.lua`: only here are they put in order."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from relay.core.limits import Limit, ProviderCap, Share
from relay.core.pacing import Pace, pace_at
from relay.core.policy import IdleAction, MailClass, Policy
from relay.core.quota import Demand
from relay.core.ramp import Ramp
from relay.core.window import Window
from relay.store.commands import Word
from relay.store.slices import epoch_ms, slice_at

_UNLIMITED: Final = -1
_NEVER: Final = 0


def reading_words(policy: Policy, window: Window, now: datetime) -> tuple[Word, ...]:
    """ARGV 1 to 8: what `lua/reading.lua` asks for."""
    pace = pace_at(policy.smoothing, policy.window, window, now)
    span = (0, 0) if pace is None else (epoch_ms(pace.since), epoch_ms(pace.until))
    counted = (epoch_ms(window.opens_at), epoch_ms(window.counted_to))
    return epoch_ms(now), window.label, *counted, window.day, *span, int(window.slides)


def reserving_words(demand: Demand, *, anew: bool) -> tuple[Word, ...]:
    """All of ARGV of `lua/reserve.lua`."""
    policy, window = demand.route.policy, demand.window
    is_transactional = demand.mail_class is MailClass.TRANSACTIONAL
    slice_ = str(slice_at(demand.now, window))
    return (
        *reading_words(policy, window, demand.now),
        *(demand.count, demand.reservation, slice_, int(anew), int(is_transactional)),
        *(_kept_from(policy, demand.mail_class), int(policy.is_off(window.date))),
        *_idle(policy),
        *(policy.ramp.advance.value, policy.ramp.qualify_ppm),
        *_pace(pace_at(policy.smoothing, policy.window, window, demand.now)),
        *(len(demand.split), len(policy.ramp.tiers)),
        *_tiers(policy.ramp),
        *(word for name, sends in demand.split for word in _share(policy, name, sends)),
        *_campaign(demand),
    )


def _campaign(demand: Demand) -> tuple[Word, ...]:
    campaign = demand.campaign
    if campaign is None:
        return ()
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


def _share(policy: Policy, provider: str, sends: int) -> tuple[Word, ...]:
    rule = policy.provider_cap(provider) or ProviderCap(())
    pairs = [(tier.start, _limit(tier.limit)) for tier in rule.tiers]
    return provider, sends, len(pairs), *(number for pair in pairs for number in pair)


def _limit(limit: Limit) -> int:
    """One word for a limit, as `lua/limits.lua` describes it."""
    if isinstance(limit, Share):
        return -1 - limit.ppm
    return _UNLIMITED if limit is None else limit
