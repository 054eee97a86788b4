"""Calendar windows, where clocks change too."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.policy.window import _LATEST, SLICE_S, CalendarDay, Rolling24h, leaves_at

ZONES = [
    "UTC",
    "America/New_York",
    "America/Sao_Paulo",
    "Europe/Berlin",
    "Africa/Cairo",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Chatham",
]


def hours(window):
    return (window.closes_at - window.opens_at) / timedelta(hours=1)


def test_a_utc_day_ends_at_midnight():
    window = CalendarDay().at(datetime(2026, 3, 3, 23, 59, 59, tzinfo=UTC))
    assert window.date == date(2026, 3, 3)
    assert window.closes_at == datetime(2026, 3, 4, tzinfo=UTC)
    assert window.label == "2026-03-03/UTC/00:00"


def test_midnight_belongs_to_the_new_day():
    assert CalendarDay().at(datetime(2026, 3, 4, tzinfo=UTC)).date == date(2026, 3, 4)


@pytest.mark.parametrize(
    ("zone", "day", "length"),
    [
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("America/New_York", date(2026, 3, 8), 23),
        ("America/New_York", date(2026, 11, 1), 25),
        ("Australia/Lord_Howe", date(2026, 4, 5), 24.5),
        ("Africa/Cairo", date(2026, 4, 24), 23),
        ("Asia/Beirut", date(2026, 3, 29), 23),
        ("America/Sao_Paulo", date(2018, 11, 4), 23),
        ("Asia/Kathmandu", date(2026, 6, 1), 24),
    ],
)
def test_a_day_is_as_long_as_the_zone_says(zone, day, length):
    assert hours(CalendarDay(zone).of(day)) == length


def test_a_skipped_midnight_opens_at_the_end_of_the_gap():
    window = CalendarDay("America/Sao_Paulo").of(date(2018, 11, 4))
    assert window.opens_at == datetime(2018, 11, 4, 3, tzinfo=UTC)


@pytest.mark.parametrize("starts", [time(2, 30), time(3, 30)])
def test_a_skipped_start_opens_as_far_behind_the_gap_as_it_lies_in_it(starts):
    form = CalendarDay("America/New_York", starts)
    day = form.of(date(2026, 3, 8))
    assert day.opens_at == datetime(2026, 3, 8, 7, 30, tzinfo=UTC)
    assert form.at(day.opens_at) == day
    assert form.at(day.opens_at - timedelta(seconds=1)).date == date(2026, 3, 7)


def test_a_day_that_the_zone_skips_has_no_window():
    form = CalendarDay("Pacific/Apia")
    skipped = datetime(2011, 12, 30, 10, tzinfo=UTC)
    assert form.at(skipped).date == date(2011, 12, 31)
    assert form.at(skipped - timedelta(seconds=1)).date == date(2011, 12, 29)


def test_a_start_that_comes_twice_opens_at_the_first():
    window = CalendarDay("Europe/Berlin", time(2, 30)).of(date(2026, 10, 25))
    assert window.opens_at == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_starts_moves_the_window():
    seven = CalendarDay("Europe/Berlin", time(7))
    assert seven.at(datetime(2026, 1, 2, 5, 59, tzinfo=UTC)).date == date(2026, 1, 1)
    assert seven.at(datetime(2026, 1, 2, 6, 0, tzinfo=UTC)).date == date(2026, 1, 2)


@given(
    st.sampled_from(ZONES),
    st.times().map(lambda t: t.replace(second=0, microsecond=0)),
    st.datetimes(datetime(2015, 1, 1), datetime(2035, 1, 1)).map(lambda d: d.replace(tzinfo=UTC)),
)
def test_windows_tile_time(zone, starts, now):
    kind = CalendarDay(zone, starts)
    window = kind.at(now)
    assert window.opens_at <= now < window.closes_at
    following = kind.at(window.closes_at)
    assert following.opens_at == window.closes_at
    assert following.day > window.day
    assert kind.at(window.opens_at) == window


@given(
    st.sampled_from(ZONES),
    st.times().map(lambda t: t.replace(second=0, microsecond=0)),
    st.datetimes(datetime(2010, 1, 1), datetime(2035, 1, 1)).map(lambda d: d.replace(tzinfo=UTC)),
    st.timedeltas(timedelta(days=-2), timedelta(days=2)),
)
def test_the_window_found_last_is_given_for_its_own_time_and_no_other(zone, starts, now, later):
    kind = CalendarDay(zone, starts)
    kind.at(now)  # is remembered
    found = kind.at(now + later)
    _LATEST.pop((zone, starts))
    assert kind.at(now + later) == found


SLICE = timedelta(seconds=SLICE_S)


def test_a_rolling_window_reaches_a_day_and_a_slice_back_from_its_slice():
    window = Rolling24h().at(datetime(2026, 3, 4, 12, 14, 59, tzinfo=UTC))
    assert window.opens_at == datetime(2026, 3, 3, 11, 45, tzinfo=UTC)
    assert window.closes_at == datetime(2026, 3, 4, 12, 15, tzinfo=UTC)
    assert window.label == "2026-03-04T12:00Z/rolling-24h"
    assert window.slides


def test_the_day_of_a_rolling_window_is_one_of_its_zone():
    now = datetime(2026, 3, 4, 18, 30, tzinfo=UTC)
    assert Rolling24h("Asia/Kathmandu").at(now).date == date(2026, 3, 5)
    assert Rolling24h("UTC", time(19)).at(now).date == date(2026, 3, 3)


@given(st.datetimes(datetime(2015, 1, 1), datetime(2035, 1, 1)), st.integers(1, 900))
def test_a_slice_leaves_with_the_first_window_that_opens_at_its_end(naive, seconds):
    slice_ends = naive.replace(microsecond=0, tzinfo=UTC)
    leaves = leaves_at(slice_ends)
    assert Rolling24h().at(leaves).opens_at >= slice_ends
    assert Rolling24h().at(leaves - timedelta(seconds=seconds)).opens_at < slice_ends
    assert timedelta(hours=24) + SLICE <= leaves - slice_ends < timedelta(hours=24) + 2 * SLICE
