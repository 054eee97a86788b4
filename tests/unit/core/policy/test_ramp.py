"""Ramps promise that a cap never falls by going on, where their tiers rise."""

from hypothesis import given
from hypothesis import strategies as st

from relay.core.policy.ramp import Advance, Ramp, Tier

rising = st.lists(st.tuples(st.integers(1, 50), st.integers(1, 500)), min_size=1, max_size=12)


def ramp(steps, *, ends_unlimited):
    start, cap, tiers = 0, 0, []
    for step, more in steps:
        cap += more
        tiers.append(Tier(start, cap))
        start += step
    if ends_unlimited:
        tiers.append(Tier(start, None))
    return Ramp(Advance.CALENDAR_DAYS, tuple(tiers))


@given(rising, st.booleans(), st.integers(0, 700))
def test_a_ramp_of_rising_tiers_never_falls(steps, ends_unlimited, at):
    made = ramp(steps, ends_unlimited=ends_unlimited)
    now, later = made.tier_at(at).cap, made.tier_at(at + 1).cap
    assert later is None or (now is not None and later >= now)


@given(rising, st.booleans(), st.integers(0, 700))
def test_the_next_tier_is_the_first_that_changes_anything(steps, ends_unlimited, at):
    made = ramp(steps, ends_unlimited=ends_unlimited)
    following = made.next_tier(at)
    if following is None:
        assert made.tier_at(at) == made.tiers[-1]
    else:
        assert made.tier_at(following.start) == following
        assert made.tier_at(following.start - 1) == made.tier_at(at)


def test_the_end_of_a_warm_up_is_its_unlimited_tier():
    assert ramp([(3, 5)], ends_unlimited=True).warmed_at() == 3
    assert ramp([(3, 5)], ends_unlimited=False).warmed_at() is None
