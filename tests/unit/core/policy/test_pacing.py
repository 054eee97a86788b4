"""How much of a cap is open at an instant."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.policy.pacing import Even, HourlyShare, first_open, pace_at
from relay.core.policy.window import CalendarDay, Rolling24h

DAY = CalendarDay()
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
instants = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)).map(
    lambda naive: naive.replace(tzinfo=UTC)
)
zones = st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe"])
starts = st.sampled_from([time(0), time(7), time(7, 10)])
hours = st.sampled_from(
    [Even(), Even(time(8), time(20)), Even(time(8), time(20), 3), Even(burst=1)]
)


def pace(smoothing, now, form=DAY):
    return pace_at(smoothing, form, form.at(now), now)


def test_no_smoothing_has_no_pace():
    assert pace(None, NOON) is None


@pytest.mark.parametrize(("cap", "open_"), [(50, 10), (51, 11), (1, 1), (4, 1), (6, 2)])
def test_a_share_of_an_hour_is_rounded_up(cap, open_):
    assert pace(HourlyShare(200_000), NOON).open_of(cap) == open_


@given(instants, zones)
def test_an_hour_is_the_one_that_the_clock_on_the_wall_shows(now, zone):
    found = pace(HourlyShare(1), now, CalendarDay(zone))
    assert found.since <= now < found.until
    assert found.until - found.since == HOUR
    local = now.astimezone(ZoneInfo(zone))
    assert now - found.since == timedelta(
        minutes=local.minute, seconds=local.second, microseconds=local.microsecond
    )


def test_a_line_opens_the_cap_over_the_hours():
    even = Even(time(8), time(20), burst=5)
    told = [
        pace(even, NOON.replace(hour=hour)).open_of(24) for hour in (0, 7, 8, 9, 12, 19, 20, 23)
    ]
    assert told == [0, 0, 5, 5, 9, 23, 24, 24]


def test_the_line_may_go_over_midnight_where_the_window_does():
    form = CalendarDay("UTC", time(12))
    even = Even(time(22), time(6))
    at = [NOON + timedelta(hours=hour) for hour in (0, 10, 14, 18, 23)]
    assert [pace(even, moment, form).open_of(100) for moment in at] == [0, 5, 51, 100, 100]


def test_hours_that_end_where_the_window_does_end_with_it():
    form = CalendarDay("UTC", time(12))
    found = pace(Even(time(18), time(12)), NOON, form)
    assert found.line.ends_at == NOON + timedelta(days=1)


def test_on_a_day_of_23_hours_the_line_is_steeper():
    form = CalendarDay("Europe/Berlin")
    window = form.of(date(2026, 3, 29))
    middle = window.opens_at + (window.closes_at - window.opens_at) / 2
    assert pace(Even(), middle, form).open_of(1000) == 501
    assert pace(Even(), middle - timedelta(seconds=1), form).open_of(1000) == 500


@given(hours, zones, starts, instants, st.integers(1, 10**12))
def test_all_of_the_cap_is_open_before_the_window_ends(even, zone, start, now, cap):
    form = CalendarDay(zone, start)
    window = form.at(now)
    assert pace(even, window.closes_at - timedelta(seconds=1), form).open_of(cap) == cap


def test_the_last_send_of_a_day_has_as_much_time_as_the_others():
    window = DAY.at(NOON)
    found = pace(Even(), NOON)
    assert window.closes_at - found.reaches(48, 48) == HOUR / 2
    assert found.reaches(25, 48) == NOON
    assert found.reaches(26, 48) == NOON + HOUR / 2


@given(hours, zones, starts, instants, st.integers(1, 10**12))
def test_what_is_open_never_shrinks_within_a_window_and_ends_with_the_cap(
    even, zone, start, now, cap
):
    form = CalendarDay(zone, start)
    window = form.at(now)
    steps = [window.opens_at + (window.closes_at - window.opens_at) * n / 97 for n in range(97)]
    opened = [pace(even, moment, form).open_of(cap) for moment in steps]
    assert opened == sorted(opened)
    assert opened[0] >= 0
    assert opened[-1] <= cap


@given(hours, zones, starts, instants, st.integers(1, 5000), st.data())
def test_the_opening_is_the_first_second_at_which_so_much_is_open(
    even, zone, start, now, cap, data
):
    form = CalendarDay(zone, start)
    found = pace(even, now, form)
    needed = data.draw(st.integers(1, cap))
    opens = found.reaches(needed, cap)
    window = form.at(now)
    assert window.opens_at <= opens <= window.closes_at
    if opens < window.closes_at:
        assert pace(even, opens, form).open_of(cap) >= needed
    if opens > window.opens_at:
        assert pace(even, opens - timedelta(seconds=1), form).open_of(cap) < needed


def test_a_rolling_window_opens_over_its_calendar_day():
    form = Rolling24h("Asia/Kathmandu")
    found = pace(Even(), NOON, form)
    assert (found.since, found.until) == (
        datetime(2026, 3, 9, 18, 15, tzinfo=UTC),
        datetime(2026, 3, 10, 18, 15, tzinfo=UTC),
    )


def test_a_day_begins_with_its_sending_hours():
    day = date(2026, 3, 11)
    midnight = datetime(2026, 3, 11, tzinfo=UTC)
    assert first_open(None, DAY, day) == midnight
    assert first_open(HourlyShare(1), DAY, day) == midnight
    assert first_open(Even(time(8), time(20)), DAY, day) == midnight + 8 * HOUR
