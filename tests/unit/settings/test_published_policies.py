"""The shipped policies against the published numbers, typed again, day by day.

A list ends where its source ends; what the policy does then is our choice and stands beside
it. Where a source gives a formula too, the list wins (`facts` of each source are in the
policy's `source:`).
"""

from dataclasses import dataclass

import pytest

from relay.core.policy.ramp import Advance
from relay.core.policy.window import CalendarDay
from relay.settings.folders import PROVIDERS_FILE
from relay.settings.load import load_policy
from relay.settings.policies import read_policies, shipped_policies_dir

FOR_EVER = 5000  # days


@dataclass(frozen=True)
class Published:
    """`days` are the caps of day 0, 1, ...; `after` those that we chose, up to the last change."""

    days: str
    after: str
    at_last: int | None


PUBLISHED = {
    # Days 0-1, 2, 3, 4, 5-6, 7-9, 10-13.
    "calendar-14-day": Published(
        "50 50 100 200 500 1000 1000 2000 2000 2000 5000 5000 5000 5000", "", None
    ),
    "progressive-21-day": Published(
        """300 390 510 660 860 1100 1400 1900 2400 3200 4100 5400 7000 9100 11800 15400 20000
        26000 33700 43900 57000""",
        "",
        None,
    ),
    "sendgrid-manual-daily": Published(
        """50 100 500 1000 5000 10000 20000 40000 70000 100000 150000 250000 400000 600000
        1000000 2000000 4000000""",
        "8000000 16000000 32000000 64000000",
        None,
    ),
    "sparkpost-stages": Published(
        """200 500 1000 2000 5000 10000 20000 40000 50000 75000 100000 150000 200000 250000
        325000 400000 500000 600000 750000 1000000 1250000 1750000 2000000 3000000 4250000
        5000000 6000000 7500000 10000000""",
        "",
        None,
    ),
    "braze-conservative": Published(
        """50 50 50 100 100 100 500 500 500 1000 1000 1000 2000 2000 2000 4000 4000 4000
        8000 8000 8000""",
        """16000 16000 16000 32000 32000 32000 64000 64000 64000 128000 128000 128000
        256000 256000 256000 512000 512000 512000 1024000 1024000 1024000""",
        None,
    ),
    "braze-moderate": Published(
        """50 100 500 1000 2000 4000 8000 16000 25000 35000 50000 75000 100000 150000 200000
        275000 375000 500000 650000 825000 1000000""",
        "",
        None,
    ),
    "braze-aggressive": Published(
        """50 100 500 1000 5000 10000 20000 40000 70000 100000 150000 250000 400000 600000
        1000000 2000000 4000000""",
        "8000000 16000000 32000000 64000000",
        None,
    ),
    # 2000 * 1.3, * 1.69, ...: 2600, 3380, 4394, 5712.2, 7425.86, 9653.618, 12549.70, 16314.61,
    # 21209.0, 27571.7, 35843.2, 46596.2, 60575.0, 78747.6; the next is 102371.8.
    "resend-new-domain": Published(
        "150 250 400 700 1000 1500 2000",
        """2600 3380 4394 5712 7426 9654 12550 16315 21209 27572 35843 46596 60575 78748""",
        None,
    ),
    # 10000 * 1.3 ^ n: 13000, 16900, 21970, 28561, 37129.3, 48268.09, 62748.5, 81573.07; 106045.
    "resend-existing-domain": Published(
        "1000 2500 5000 5000 7500 7500 10000",
        "13000 16900 21970 28561 37129 48268 62749 81573",
        None,
    ),
    "onesignal": Published(
        "300 360 432 518 622 727 896 1075 1548 2229 2675 3210 3852 4622 5547",
        """6656 7988 9585 11502 13803 16563 19876 23851 28621 34346 41215 49458 59349 71219
        85463 102555 123066 147680 177216 212659 255190 306228 367474 440969 529163 634995
        761994 914393""",
        None,
    ),
    "momentum-yahoo": Published(
        " ".join(str(50_000 * day) for day in range(1, 29)),
        "",
        1_400_000,
    ),
    "complens-42": Published(
        """10 15 20 25 35 45 50
        65 80 100 120 150 175 200
        250 300 350 400 500 600 750
        900 1000 1200 1500 1800 2000 2500
        3000 3500 4000 4500 5000 5500 6000
        6500 7000 7500 8000 8500 9000 10000""",
        "",
        None,
    ),
    # 1-3, 4-10, 11-30, 31-45, 46-60, 61-75, 76-90, then 1000.
    "mailrush-age-bands": Published(
        "150 " * 3 + "200 " * 7 + "250 " * 20 + "350 " * 15 + "500 " * 15 + "600 " * 15
        + "750 " * 15,
        "",
        1000,
    ),
    "omailer-14": Published(
        "50 100 200 350 500 750 1000 1500 2000 3000 4500 6000 8000 10000", "", None
    ),
    # 1-2, 3-5, 6-7, 8-14, 15-21, 22-30.
    "misar-30": Published(
        "50 " * 2 + "200 " * 3 + "500 " * 2 + "2000 " * 7 + "5000 " * 7 + "10000 " * 9, "", None
    ),
    # The upper ends of 1-3, 4-7, 8-14, 15-21; then 1000 * 1.3 ^ n: 1300, 1690, 2197, 2856.1,
    # 3712.93, 4826.81, 6274.85, 8157.31, 10604.499, 13785.85, 17921.6, 23298.09, 30287.5,
    # 39373.8, 51185.9, 66541.7, 86504.2; the next is 112455.
    "agentmail": Published(
        "20 " * 3 + "100 " * 4 + "500 " * 7 + "1000 " * 7,
        """1300 1690 2197 2856 3713 4827 6275 8157 10604 13786 17922 23298 30288 39374 51186
        66542 86504""",
        None,
    ),
    # 50 + 1950 * d / 29 by hand: 67.24 a day.
    "e2a-linear": Published(
        """50 117 184 251 318 386 453 520 587 655 722 789 856 924 991 1058 1125 1193 1260 1327
        1394 1462 1529 1596 1663 1731 1798 1865 1932 2000""",
        "",
        2000,
    ),
    # The numbers quoted with the formula are the first ten and the last two; for the rest see
    # test_ghost_is_its_formula.
    "ghost-42": Published(
        """200 237 280 332 392 464 550 650 770 911 1078 1276 1510 1788 2116 2504 2963 3507 4151
        4912 5814 6880 8143 9637 11406 13499 15976 18908 22377 26484 31344 37096 43903 51959
        61494 72779 86134 101941 120647 142787 168989 200000""",
        "",
        None,
    ),
}  # fmt: skip
# First and last lifetime send of each band, and its daily cap.
LIFETIME = [
    (0, 199, 50),
    (200, 499, 100),
    (500, 1_499, 500),
    (1_500, 4_999, 2_000),
    (5_000, 14_999, 5_000),
    (15_000, 10_000_000, None),
]
LENGTHS = {
    "sendgrid-manual-daily": 17,
    "sparkpost-stages": 29,
    "braze-conservative": 21,
    "braze-moderate": 21,
    "braze-aggressive": 17,
    "progressive-21-day": 21,
    "calendar-14-day": 14,
    "onesignal": 15,
    "momentum-yahoo": 28,
    "complens-42": 42,
    "mailrush-age-bands": 90,
    "omailer-14": 14,
    "misar-30": 30,
    "agentmail": 21,
    "e2a-linear": 30,
    "ghost-42": 42,
    "resend-new-domain": 7,
    "resend-existing-domain": 7,
}

# Where days count only if enough was sent: the least sends of day 0 and of the day before the last.
QUALIFYING = {"e2a-linear": (25, 966), "sparkpost-stages": (180, 6_750_000)}


def numbers(text):
    return [int(word) for word in text.split()]


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_day_is_as_published_and_then_as_described(name):
    ramp = load_policy(name).ramp
    published, after = numbers(PUBLISHED[name].days), numbers(PUBLISHED[name].after)
    expected = [*published, *after]

    assert len(published) == LENGTHS[name]
    counted = Advance.QUALIFIED_DAYS if name in QUALIFYING else Advance.CALENDAR_DAYS
    assert ramp.advance is counted
    assert [ramp.tier_at(day).cap for day in range(len(expected))] == expected
    assert ramp.tier_at(len(expected)).cap == PUBLISHED[name].at_last
    assert ramp.tier_at(FOR_EVER).cap == PUBLISHED[name].at_last


@pytest.mark.parametrize("name", QUALIFYING)
def test_a_day_counts_from_the_published_share_of_its_cap_on(name):
    ramp = load_policy(name).ramp
    caps = [ramp.tier_at(0).cap, ramp.tier_at(LENGTHS[name] - 2).cap]
    assert tuple(map(ramp.qualifies_from, caps)) == QUALIFYING[name]


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_policy_never_gives_way_once_it_has_given(name):
    caps = [tier.cap for tier in load_policy(name).ramp.tiers]
    assert caps == sorted(caps, key=lambda cap: cap or 10**15)


def test_ghost_is_its_formula():
    """The nearest whole number n to 200 * 1000^(d/41): (2n-1)^41 <= 400^41 * 1000^d < (2n+1)^41."""
    ramp = load_policy("ghost-42").ramp
    for day in range(42):
        cap, exact = ramp.tier_at(day).cap, 400**41 * 1000**day
        assert (2 * cap - 1) ** 41 <= exact < (2 * cap + 1) ** 41


@pytest.mark.parametrize(("first", "last", "cap"), LIFETIME)
def test_the_lifetime_tiers_are_the_published_ones(first, last, cap):
    ramp = load_policy("lifetime-tiers").ramp

    assert ramp.advance is Advance.LIFETIME_SENDS
    assert ramp.tier_at(first).start == first
    assert {ramp.tier_at(first).cap, ramp.tier_at(last).cap} == {cap}


def test_there_are_as_many_lifetime_tiers_as_published():
    assert len(load_policy("lifetime-tiers").ramp.tiers) == len(LIFETIME)


def test_every_file_among_the_policies_is_one_that_is_checked_here():
    names = {path.stem for path in shipped_policies_dir().iterdir() if path.name != PROVIDERS_FILE}

    assert names == {*PUBLISHED, "lifetime-tiers"}
    assert len(names) >= 14


def test_every_shipped_policy_names_its_source_and_resets_at_midnight_utc():
    shelf = read_policies([])

    assert not shelf.problems
    assert sorted(shelf.policies) == sorted([*PUBLISHED, "lifetime-tiers"])
    assert {policy.window for policy in shelf.policies.values()} == {CalendarDay()}
    for policy in shelf.policies.values():
        assert policy.source, policy.name
        assert "seed document" in policy.source or "read on 20" in policy.source, policy.name


@pytest.mark.parametrize("name", [name for name in PUBLISHED if PUBLISHED[name].after])
def test_what_was_added_to_a_list_is_owned_up_to(name):
    policy = load_policy(name)

    assert ", then " in policy.description
    assert "Changed: " in policy.source


def test_the_shipped_policies_of_a_wheel_are_preferred(monkeypatch, tmp_path):
    import relay

    package = tmp_path / "site" / "relay"
    (package / "_policies").mkdir(parents=True)
    monkeypatch.setattr(relay, "__file__", str(package / "__init__.py"))
    assert shipped_policies_dir() == package / "_policies"

    (package / "_policies").rmdir()
    assert shipped_policies_dir() == package.parent / "policies"
