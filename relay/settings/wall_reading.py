"""Providers, smoothing, headroom, rest and idleness of a policy file as values of `core`."""

from __future__ import annotations

from relay.core.policy.limits import Limit, LimitTier, ProviderCap, Share
from relay.core.policy.pacing import Even, HourlyShare, Smoothing
from relay.core.policy.policy import Idle, MailClass
from relay.settings.schema.walls import (
    HeadroomSection,
    IdleSection,
    ProviderCapSection,
    SmoothingSection,
    Weekday,
)

_WEEKDAYS = tuple(Weekday)


def provider_cap(section: ProviderCapSection) -> ProviderCap:
    """One provider's cap; `section` has passed `check_walls`."""
    if section.tiers:
        return ProviderCap(tuple(LimitTier(tier.start, tier.cap) for tier in section.tiers))
    limit: Limit = section.cap if section.share is None else Share(section.share)
    return ProviderCap((LimitTier(0, limit),))


def smoothing(section: SmoothingSection | None) -> Smoothing:
    """The smoothing; `section` has passed `check_walls`."""
    if section is None:
        return None
    if section.hourly_share is not None:
        return HourlyShare(section.hourly_share)
    assert section.even is not None
    return Even(section.even.begins, section.even.ends, section.even.burst)


def headroom_ppm(section: HeadroomSection) -> dict[MailClass, int]:
    """The share that is kept for each class, in parts of a million."""
    shares = {
        MailClass.TRANSACTIONAL: section.transactional,
        MailClass.MARKETING: section.marketing,
    }
    return {mail_class: ppm for mail_class, ppm in shares.items() if ppm is not None}


def weekdays(days: list[Weekday]) -> frozenset[int]:
    """Days as numbers; Monday is 0."""
    return frozenset(_WEEKDAYS.index(day) for day in days)


def idle(section: IdleSection | None) -> Idle | None:
    """The rule for idleness, if there is one."""
    return None if section is None else Idle(section.after, section.do)
