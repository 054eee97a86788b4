"""The shipped policies against the published numbers, typed again."""

import pytest

from relay.core.ramp import Advance
from relay.core.window import CalendarDay
from relay.settings.load import load_policy
from relay.settings.policies import read_policies, shipped_policies_dir

# Day by day: days 0-1, 2, 3, 4, 5-6, 7-9, 10-13, and from 14 on.
CALENDAR = [50, 50, 100, 200, 500, 1000, 1000, 2000, 2000, 2000, 5000, 5000, 5000, 5000, None, None]
# First and last lifetime send of each band, and its daily cap.
LIFETIME = [
    (0, 199, 50),
    (200, 499, 100),
    (500, 1_499, 500),
    (1_500, 4_999, 2_000),
    (5_000, 14_999, 5_000),
    (15_000, 10_000_000, None),
]
# Day 1 to 21 of the published table.
MAILTRAP = """
300 390 510 660 860 1100 1400 1900 2400 3200 4100 5400 7000 9100 11800 15400 20000 26000 33700
43900 57000
"""


def test_the_fourteen_day_calendar_is_the_published_one():
    ramp = load_policy("calendar-14-day").ramp

    assert ramp.advance is Advance.CALENDAR_DAYS
    assert [ramp.tier_at(day).cap for day in range(16)] == CALENDAR
    assert ramp.warmed_at() == 14


@pytest.mark.parametrize(("first", "last", "cap"), LIFETIME)
def test_the_lifetime_tiers_are_the_published_ones(first, last, cap):
    ramp = load_policy("lifetime-tiers").ramp

    assert ramp.advance is Advance.LIFETIME_SENDS
    assert ramp.tier_at(first).start == first
    assert {ramp.tier_at(first).cap, ramp.tier_at(last).cap} == {cap}


def test_there_are_as_many_lifetime_tiers_as_published():
    assert len(load_policy("lifetime-tiers").ramp.tiers) == len(LIFETIME)


def test_the_twenty_one_days_are_the_published_ones():
    ramp = load_policy("progressive-21-day").ramp
    published = [int(number) for number in MAILTRAP.split()]

    assert len(published) == 21
    assert ramp.advance is Advance.CALENDAR_DAYS
    assert [ramp.tier_at(day).cap for day in range(21)] == published
    assert ramp.tier_at(21).cap is None


def test_every_shipped_policy_names_its_source_and_resets_at_midnight_utc():
    shelf = read_policies([])

    assert sorted(shelf.policies) == ["calendar-14-day", "lifetime-tiers", "progressive-21-day"]
    assert not shelf.problems
    assert all(policy.source for policy in shelf.policies.values())
    assert {policy.window for policy in shelf.policies.values()} == {CalendarDay()}


def test_the_shipped_policies_of_a_wheel_are_preferred(monkeypatch, tmp_path):
    import relay

    package = tmp_path / "site" / "relay"
    (package / "_policies").mkdir(parents=True)
    monkeypatch.setattr(relay, "__file__", str(package / "__init__.py"))
    assert shipped_policies_dir() == package / "_policies"

    (package / "_policies").rmdir()
    assert shipped_policies_dir() == package.parent / "policies"
