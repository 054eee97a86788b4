"""Slices: quarters of an hour, cut where the window is."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import available_timezones

from hypothesis import given
from hypothesis import strategies as st

from relay.core.policy.window import CalendarDay
from relay.store.slices import Slice, epoch_ms, from_epoch_ms, slice_at

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
instants = st.datetimes(datetime(2024, 1, 1), datetime(2032, 1, 1)).map(
    lambda naive: naive.replace(tzinfo=UTC)
)
zones = st.sampled_from(sorted(available_timezones()))
starts = st.times().map(lambda t: t.replace(second=0, microsecond=0))


def test_a_slice_is_the_quarter_of_an_hour_of_its_instant():
    window = CalendarDay().at(NOON)
    second = epoch_ms(NOON) // 1000
    assert slice_at(NOON, window) == Slice(second, second + 900)
    assert slice_at(NOON + timedelta(minutes=14, seconds=59), window) == Slice(second, second + 900)
    assert slice_at(NOON + timedelta(minutes=15), window) == Slice(second + 900, second + 1800)
    assert str(slice_at(NOON, window)) == f"{second}-{second + 900}"


def test_a_slice_ends_where_its_window_ends():
    day = CalendarDay(starts=time(12, 10))
    second = epoch_ms(NOON) // 1000
    before, after = NOON + timedelta(minutes=9), NOON + timedelta(minutes=10)
    assert slice_at(before, day.at(before)) == Slice(second, second + 600)
    assert slice_at(after, day.at(after)) == Slice(second + 600, second + 900)


@given(instants, zones, starts)
def test_an_instant_lies_in_its_slice_and_the_slice_in_its_window(now, zone, start):
    window = CalendarDay(zone, start).at(now)
    found = slice_at(now, window)
    assert found.from_s * 1000 <= epoch_ms(now) < found.to_s * 1000
    assert epoch_ms(window.opens_at) <= found.from_s * 1000
    assert found.to_s * 1000 <= epoch_ms(window.closes_at)
    assert found.to_s - found.from_s <= 900
    assert found.overlaps(window)


@given(instants, zones, starts)
def test_consecutive_windows_share_no_slice(now, zone, start):
    day = CalendarDay(zone, start)
    window = day.at(now)
    following = day.at(window.closes_at)
    last = slice_at(window.closes_at - timedelta(milliseconds=1), window)
    first = slice_at(following.opens_at, following)
    assert not last.overlaps(following)
    assert not first.overlaps(window)


@given(instants, zones, starts, zones, starts)
def test_a_window_of_any_other_zone_counts_every_charge_inside_it(now, zone, start, other, at):
    charged_in = CalendarDay(zone, start).at(now)
    seen_from = CalendarDay(other, at).at(now)
    assert slice_at(now, charged_in).overlaps(seen_from)


def test_every_offset_in_use_today_is_a_multiple_of_a_quarter_of_an_hour():
    odd = [
        (zone, month)
        for zone in available_timezones()
        for month in (1, 4, 7, 10)
        if epoch_ms(CalendarDay(zone).boundary(date(2026, month, 1))) % 900_000
    ]
    assert odd == []


def test_an_instant_outside_the_window_gets_its_nearest_slice():
    window = CalendarDay().at(NOON)
    early, late = window.opens_at - timedelta(hours=1), window.closes_at + timedelta(hours=1)
    assert slice_at(early, window).from_s == epoch_ms(window.opens_at) // 1000
    assert slice_at(late, window).to_s == epoch_ms(window.closes_at) // 1000


@given(instants)
def test_milliseconds_go_there_and_back_rounded_down(now):
    back = from_epoch_ms(epoch_ms(now))
    assert timedelta(0) <= now - back < timedelta(milliseconds=1)
