"""Shares of a cap, rounded the way that is written down."""

from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.policy.limits import LimitTier, ProviderCap, Share, limit_of, part_of
from relay.core.policy.ramp import Advance, Ramp, Tier

caps = st.one_of(st.integers(1, 10**4), st.integers(1, 10**12))
parts = st.integers(1, 10**6)


@given(caps, parts)
def test_a_share_is_rounded_down_but_is_one_at_least(cap, ppm):
    exact = floor(cap * Fraction(ppm, 10**6))
    assert part_of(cap, ppm) == exact
    assert limit_of(Share(ppm), cap) == max(1, exact)


def test_a_share_of_no_cap_is_no_cap():
    assert limit_of(Share(1), None) is None
    assert limit_of(None, 5) is None
    assert limit_of(7, None) == 7


def test_a_providers_tiers_hold_from_their_thresholds_on():
    rule = ProviderCap((LimitTier(0, 3), LimitTier(2, Share(500_000)), LimitTier(9, None)))
    assert [rule.at(day, 20) for day in (0, 1, 2, 8, 9)] == [3, 3, 10, 10, None]


@pytest.mark.parametrize(("cap", "ppm", "sends"), [(9, 500_000, 5), (1, 1, 1), (None, 10**6, 1)])
def test_what_makes_a_qualified_day_is_rounded_up(cap, ppm, sends):
    assert Ramp(Advance.QUALIFIED_DAYS, (Tier(0, cap),), ppm).qualifies_from(cap) == sends
