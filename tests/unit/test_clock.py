"""The clock that a file moves."""

from datetime import UTC, datetime, timedelta

import pytest

from relay import clock
from relay.clock import FileClock


@pytest.fixture
def moved(tmp_path, monkeypatch):
    """A clock, and the words of its file; it reads the file at every look."""
    monkeypatch.setattr(clock, "REREAD_S", 0.0)
    file = tmp_path / "clock"
    return FileClock(file), file.write_text


def test_now_is_the_real_time_and_the_seconds_of_the_file(moved):
    moving, write = moved
    write("86400")
    ahead = moving.now() - datetime.now(UTC)
    assert abs(ahead - timedelta(days=1)) < timedelta(seconds=5)
    assert "+86400 s" in moving.simulated


@pytest.mark.parametrize("word", ["", "soon", "nan", "inf", "1e400", "-1e12", "1e12", "-62e9"])
def test_what_leads_to_no_time_that_can_be_counted_leaves_the_clock_alone(moved, word):
    moving, write = moved
    write("3600")
    before = moving.now()
    write(word)
    assert timedelta() <= moving.now() - before < timedelta(seconds=5)


def test_a_time_before_1970_is_none(moved):
    moving, write = moved
    first = datetime(1970, 1, 1, tzinfo=UTC) - datetime.now(UTC)
    write(str(first.total_seconds() + 60))
    assert moving.now().year == 1970
    write(str(first.total_seconds() - 60))
    assert moving.now().year == 1970


def test_a_missing_file_leaves_the_clock_alone(moved):
    moving, write = moved
    write("-3600")
    before = moving.now()
    moving.path.unlink()
    assert timedelta() <= moving.now() - before < timedelta(seconds=5)
