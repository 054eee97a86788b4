"""Files of daily volumes are read as meant, and what is wrong is told with its line."""

from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.cli.sheet import MOST_BYTES, BadSheet
from relay.cli.volumes import Volumes, read_volumes

TODAY = date(2026, 3, 1)


def read(folder, text, start=None):
    path = folder / "mail.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_volumes(path, start, TODAY)


def told(folder, text, start=None):
    with pytest.raises(BadSheet) as wrong:
        read(folder, text, start)
    return str(wrong.value).removeprefix(str(folder / "mail.csv"))


@pytest.mark.parametrize(
    "text",
    [
        "100\n0\n300\n",
        "volume\n100\n0\n300",
        "\ufeff100\r\n0\r\n300\r\n",
        "# as measured\n\n100\n 0 \n\n300\n",
        '"100"\n"0"\n"300"\n',
        "2026-03-01,100\n2026-03-02,0\n2026-03-03,300\n",
        "Date, Volume\n2026-03-01, 100\n2026-03-03, 300\n",
    ],
)
def test_forms_of_the_same_three_days(tmp_path, text):
    assert read(tmp_path, text) == Volumes(TODAY, (100, 0, 300))


def test_the_first_date_is_the_start_and_days_left_out_have_no_mail(tmp_path):
    text = "2026-06-05,5\n2026-06-08,8\n"
    assert read(tmp_path, text) == Volumes(date(2026, 6, 5), (5, 0, 0, 8))
    earlier = read(tmp_path, text, start=date(2026, 6, 3))
    assert earlier == Volumes(date(2026, 6, 3), (0, 0, 5, 0, 0, 8))


def test_a_start_is_day_0_of_a_file_without_dates(tmp_path):
    assert read(tmp_path, "7\n", start=date(2027, 1, 1)) == Volumes(date(2027, 1, 1), (7,))


def test_a_column_for_each_provider(tmp_path):
    text = "date,Google,other\n2026-03-01,5,1\n2026-03-03,7,0\n"
    found = read(tmp_path, text)
    assert found.counts == ({"google": 5, "other": 1}, 0, {"google": 7, "other": 0})
    assert read(tmp_path, "google\n5\n").counts == ({"google": 5},)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gogle,other\n1,2\n", ":1: 'gogle' is neither volume nor a provider; did you mean "),
        ("google,volume\n1,2\n", ":1: 'volume' is neither volume nor a provider"),
        ("google,google\n1,2\n", ":1: 'google' stands twice"),
        ("google,other\n1\n", ":2: 1 columns; expected google,other"),
        ("date,google\n2026-03-01,x\n", ":2: 'x' is no volume"),
    ],
)
def test_what_is_wrong_with_columns_of_providers_is_told(tmp_path, text, expected):
    path = tmp_path / "mail.csv"
    path.write_text(text)
    with pytest.raises(BadSheet) as wrong:
        read_volumes(path, None, TODAY, ("google", "other"))
    assert str(wrong.value).removeprefix(str(path)).startswith(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ": no volumes in it"),
        ("volume\n", ": no volumes in it"),
        ("100\nmany\n", ":2: 'many' is no volume, such as 2000"),
        ("100\n-5\n", ":2: '-5' is no volume, such as 2000"),
        ("100\n1.5\n", ":2: '1.5' is no volume, such as 2000"),
        ("100\n1000000000000\n", ":2: '1000000000000' is no volume, such as 2000"),
        ("100\n٣\n", ":2: '٣' is no volume, such as 2000"),
        ("# x\n\n100\n2026-03-01,5\n", ":4: 2 columns; expected volume"),
        ("2026-03-01,5\n6\n", ":2: 1 columns; expected date,volume"),
        ("1,2,3\n", ":1: 3 columns; expected volume, or date,volume"),
        ("2026-03-01,5\nmonday,6\n", ":2: 'monday' is no date, such as 2026-03-01"),
        ("2026-02-30,5\n", ":1: '2026-02-30' is no date, such as 2026-03-01"),
        ("9999-12-31,5\n", ":1: 9999-12-31 is too far away"),
        (
            "2026-03-02,5\n2026-03-02,6\n",
            ":2: 2026-03-02 does not come after the date above it, 2026-03-02",
        ),
        (
            "2026-03-02,5\n2026-03-04,5\n2026-03-03,6\n",
            ":3: 2026-03-03 does not come after the date above it, 2026-03-04",
        ),
        ("2026-03-01,5\n2028-03-01,6\n", ":2: more than 730 days after 2026-03-01"),
        ("1\n" * 731, ":731: more than 730 days after 2026-03-01"),
        (b"100\n\xff\n", ":2: this is not UTF-8 text"),
        ('100\n"2\n', ":2: this is no CSV: unexpected end of data"),
        (b"1" * (MOST_BYTES + 1), f" is larger than {MOST_BYTES} bytes"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path, text, expected):
    assert told(tmp_path, text) == expected


def test_a_date_before_the_start_is_wrong(tmp_path):
    expected = ":1: 2026-03-02 is before the start, 2026-03-05"
    assert told(tmp_path, "2026-03-02,5\n", start=date(2026, 3, 5)) == expected


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(BadSheet, match=r"none\.csv cannot be read: No such file"):
        read_volumes(tmp_path / "none.csv", None, TODAY)
    with pytest.raises(BadSheet, match="cannot be read: Is a directory"):
        read_volumes(tmp_path, None, TODAY)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(st.one_of(st.binary(max_size=200), st.text(alphabet='0123456789-,"\n #', max_size=80)))
def test_whatever_the_file_holds_it_is_read_or_refused(tmp_path, content):
    try:
        found = read(tmp_path, content)
    except BadSheet:
        return
    assert found.counts
    for count in found.counts:
        numbers = [count] if isinstance(count, int) else count.values()
        assert all(0 <= number < 10**12 for number in numbers)
