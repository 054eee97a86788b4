"""Curves of characters rise with the caps, and fit the page."""

from hypothesis import given
from hypothesis import strategies as st

from relay.core.plan.curve import curve

caps = st.lists(st.one_of(st.none(), st.integers(1, 10**12)), min_size=1, max_size=300)


def columns(text):
    rows = [line.partition("┤")[2] for line in text.splitlines()[:10]]
    width = max(map(len, rows))
    return ["".join(row.ljust(width)[at] for row in rows) for at in range(width)]


def test_a_decade_a_step():
    text = curve([1, 10, 100, 1000, None], "days 0 to 4")
    assert [column.count("█") for column in columns(text)[::12]] == [1, 4, 7, 10, 0]
    assert columns(text)[-1] == "░" * 10
    assert text.splitlines()[0].startswith("      1,000 ┤")
    assert text.splitlines()[9].startswith("          1 ┤")
    assert text.splitlines()[-1].strip() == "days 0 to 4 (░ unlimited)"


def test_a_flat_ramp_is_a_full_block_with_one_number():
    text = curve([500, 500], "days 0 to 1")
    assert set(columns(text)) == {"█" * 10}
    assert text.count("500") == 1
    assert "unlimited" not in text


@given(caps)
def test_every_curve_fits_the_page_and_follows_the_caps(values):
    text = curve(values, "x")
    assert len(text.splitlines()) == 12
    assert all(len(line) <= 90 for line in text.splitlines())
    heights = [10 if "░" in column else column.count("█") for column in columns(text)]
    assert len(heights) <= 64
    assert (columns(text)[-1] == "░" * 10) == (values[-1] is None)
    if None not in values and values == sorted(values):
        assert heights == sorted(heights)
