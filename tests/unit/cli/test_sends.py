"""Files of past sends are read as meant, and what is wrong is told with its line."""

from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.cli.sends import MOST_DAYS, Row, check_dates, read_sends
from relay.cli.sheet import BadSheet

DAY = date(2026, 3, 1)


def read(folder, text):
    path = folder / "sends.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_sends(path)


def told(folder, text):
    with pytest.raises(BadSheet) as wrong:
        read(folder, text)
    return str(wrong.value).removeprefix(str(folder / "sends.csv"))


@pytest.mark.parametrize(
    "text",
    [
        "date,sends\n2026-03-01,100\n2026-03-03,0\n",
        "2026-03-01,100\n2026-03-03,0",
        "\ufeffDate;Sends\r\n2026-03-01;100\r\n2026-03-03;0\r\n",
        "# by hand\n\n 2026-03-01 \t 100 \n2026-03-03\t0\n",
        '"date","sends"\n"2026-03-01","100"\n"2026-03-03","0"\n',
    ],
)
def test_forms_of_the_same_two_days(tmp_path, text):
    found = [(row.day, row.sends) for row in read(tmp_path, text)]
    assert found == [(DAY, 100), (date(2026, 3, 3), 0)]


def test_days_may_come_in_any_order(tmp_path):
    found = read(tmp_path, "2026-03-03,3\n2026-03-01,1\n")
    assert found == (Row(1, date(2026, 3, 3), 3), Row(2, DAY, 1))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ": no sends in it"),
        ("date,sends\n", ": no sends in it"),
        ("date,sends\n2026-03-01,0\n", ": no sends in it"),
        ("date,sends\n2026-03-01,-4\n", ":2: '-4' is no number of sends, such as 2000"),
        ("2026-03-01,1.5\n", ":1: '1.5' is no number of sends, such as 2000"),
        ("2026-03-01,\n", ":1: '' is no number of sends, such as 2000"),
        ("2026-03-01,1000000000000\n", ":1: '1000000000000' is no number of sends, such as 2000"),
        ("2026-03-01,1\n,2\n", ":2: '' is no date, such as 2026-03-01"),
        ("2026-03-01,1\n01.03.2026,2\n", ":2: '01.03.2026' is no date, such as 2026-03-01"),
        ("2026-02-30,1\n", ":1: '2026-02-30' is no date, such as 2026-03-01"),
        ("1999-12-31,1\n", ":1: 1999-12-31 is before 2000-01-01"),
        ("2026-03-01,1\ndate,sends\n", ":2: 'date' is no date, such as 2026-03-01"),
        ("day,count\n", ":1: 'day' is no date, such as 2026-03-01"),
        ("2026-03-01\n", ":1: 1 columns; expected date,sends"),
        ("2026-03-01,1,2\n", ":1: 3 columns; expected date,sends"),
        ("2026-03-01,1\n\n2026-03-01,1\n", ":3: 2026-03-01 is on line 1 already"),
        (b"2026-03-01,1\n\xff\n", ":2: this is not UTF-8 text"),
        ('2026-03-01,"1\n', ":1: this is no CSV: unexpected end of data"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path, text, expected):
    assert told(tmp_path, text) == expected


def test_more_days_than_ten_years_have_are_refused(tmp_path):
    first = DAY.toordinal() - MOST_DAYS
    rows = [f"{date.fromordinal(first + n)},1\n" for n in range(MOST_DAYS + 1)]
    assert len(read(tmp_path, "".join(rows[1:]))) == MOST_DAYS
    assert told(tmp_path, "".join(rows)) == ": more than 3660 days"


def test_a_date_after_today_is_refused_and_today_is_not(tmp_path):
    path = tmp_path / "sends.csv"
    rows = read(tmp_path, "date,sends\n2026-03-01,100\n2026-03-02,0\n")
    check_dates(path, rows, date(2026, 3, 2), "UTC")
    with pytest.raises(BadSheet, match=r"csv:3: 2026-03-02 is in the future: it is 2026-03-01"):
        check_dates(path, rows, DAY, "UTC")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(st.one_of(st.binary(max_size=200), st.text(alphabet='0126-,;"\n\t #', max_size=80)))
def test_whatever_the_file_holds_it_is_read_or_refused(tmp_path, content):
    try:
        found = read(tmp_path, content)
    except BadSheet:
        return
    assert any(row.sends for row in found)
