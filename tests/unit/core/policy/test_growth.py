"""Formulas give the caps that anybody can compute by hand, exactly, and end when told."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.policy.growth import (
    MOST_SENDS,
    MOST_TIERS,
    Ending,
    SoftLanding,
    TooHigh,
    TooLong,
    as_tiers,
    clamped,
    continued,
    growth,
    half_up,
    linear,
)
from relay.core.policy.ramp import Tier

factors = st.integers(1_000_001, 3_000_000).map(lambda millionths: Fraction(millionths, 10**6))


def test_a_factor_a_day_is_rounded_half_up():
    assert growth(300, Fraction("1.3"), 6) == [300, 390, 507, 659, 857, 1114]
    assert growth(1, Fraction("1.5"), 5) == [1, 2, 2, 3, 5]  # 1.5, 2.25, 3.375, 5.0625
    assert growth(5, Fraction("1.1"), 2) == [5, 6]  # 5.5 exactly, which floats also give
    assert growth(5, Fraction("1.7"), 2) == [5, 9]  # 8.5 exactly


def test_a_factor_that_floats_get_wrong_is_exact():
    # 50 * 1.15 = 57.5, in floats 57.49999999999999.
    assert round(50 * 1.15) == 57
    assert growth(50, Fraction("1.15"), 2) == [50, 58]


@given(st.integers(1, 10_000), factors, st.integers(1, 40))
def test_every_cap_is_the_whole_number_nearest_to_the_formula(start, factor, days):
    caps = growth(start, factor, days, most=MOST_SENDS)
    assert len(caps) == days
    for day, cap in enumerate(caps):
        exact = start * factor**day
        assert cap == MOST_SENDS or cap - Fraction(1, 2) <= exact < cap + Fraction(1, 2)


@given(st.integers(0, 10**9), st.integers(1, 10**6))
def test_half_up_goes_up_at_the_half(count, parts):
    assert half_up(Fraction(2 * count + 1, 2)) == count + 1
    assert half_up(Fraction(count * parts, parts)) == count


def test_a_growth_is_clamped_from_the_first_day_above_most():
    assert growth(100, Fraction(2), 6, most=500) == [100, 200, 400, 500, 500, 500]


def test_a_cap_that_no_one_can_mean_names_its_day():
    with pytest.raises(TooHigh) as trouble:
        growth(10**9, Fraction(10), 9)
    assert trouble.value.day == 4
    assert growth(10**9, Fraction(10), 4)[-1] == MOST_SENDS


def test_a_straight_line_is_rounded_down_and_ends_at_its_end():
    assert linear(50, 2000, 30)[:8] == [50, 117, 184, 251, 318, 386, 453, 520]
    assert linear(50, 2000, 30)[-2:] == [1932, 2000]
    assert linear(50, 2000, 30, most=1000)[-1] == 1000
    assert linear(7, 7, 3) == [7, 7, 7]


@given(st.integers(1, 10**6), st.integers(0, 10**6), st.integers(2, 999))
def test_a_line_begins_and_ends_where_it_says_and_never_falls(start, more, days):
    caps = linear(start, start + more, days)
    assert (caps[0], caps[-1], len(caps)) == (start, start + more, days)
    assert caps == sorted(caps)


def test_days_that_change_nothing_are_no_tiers_of_their_own():
    assert as_tiers([1, 2, 2, 3]) == (Tier(0, 1), Tier(1, 2), Tier(3, 3))


def test_what_comes_then_begins_on_the_day_after_the_last():
    tiers = as_tiers([10, 20, 20])
    assert continued(tiers, 2, Ending.UNLIMITED) == (*tiers, Tier(3, None))
    assert continued(tiers, 2, Ending.HOLD) == tiers


def test_a_soft_landing_grows_from_the_last_cap_until_it_passes_its_end():
    landing = SoftLanding(Fraction("1.35"), 1000)
    assert continued((Tier(0, 333),), 0, landing) == (
        Tier(0, 333),
        Tier(1, 450),  # 449.55
        Tier(2, 607),  # 606.89, from 333 and not from the rounded 450 (607.5)
        Tier(3, 819),  # 819.30
        Tier(4, None),  # 1106.06 is above 1000
    )


def test_a_soft_landing_that_reaches_its_end_exactly_stays_a_day():
    landing = SoftLanding(Fraction(2), 400)
    assert continued((Tier(0, 100),), 0, landing)[1:] == (Tier(1, 200), Tier(2, 400), Tier(3, None))


@given(st.integers(1, 10**6), factors, st.integers(1, 10**9), st.integers(0, 50))
def test_a_landing_never_passes_its_end_and_is_bounded(last, factor, more, last_day):
    until = last + more
    try:
        tiers = continued((Tier(0, last),), last_day, SoftLanding(factor, until))
    except TooLong:
        # About 1000 days of this factor are not enough, whatever the rounding.
        assert last * factor**MOST_TIERS < (until + 1) * factor**2
        return
    assert len(tiers) <= MOST_TIERS
    assert tiers[-1].cap is None
    assert all(tier.cap <= until for tier in tiers[:-1])
    assert [tier.start for tier in tiers] == sorted({tier.start for tier in tiers})


def test_a_landing_of_too_many_days_is_refused_at_once():
    with pytest.raises(TooLong):
        continued((Tier(0, 10**6),), 0, SoftLanding(Fraction("1.000001"), MOST_SENDS))


def test_one_tier_too_many_is_refused():
    full = tuple(Tier(day, day + 1) for day in range(MOST_TIERS))
    with pytest.raises(TooLong):
        continued(full, MOST_TIERS - 1, Ending.UNLIMITED)
    assert len(continued(full[:-1], MOST_TIERS - 2, Ending.UNLIMITED)) == MOST_TIERS
    assert continued(full, MOST_TIERS - 1, Ending.HOLD) == full


def test_holding_caps_everything_unlimited_too():
    tiers = (Tier(0, 50), Tier(2, 100), Tier(5, 500), Tier(9, None))
    assert clamped(tiers, 100) == (Tier(0, 50), Tier(2, 100))
    assert clamped(tiers, 200) == (Tier(0, 50), Tier(2, 100), Tier(5, 200))
    assert clamped(tiers, 10) == (Tier(0, 10),)
    assert clamped((Tier(0, 90), Tier(3, 20), Tier(6, None)), 50) == (
        Tier(0, 50),
        Tier(3, 20),
        Tier(6, 50),
    )
