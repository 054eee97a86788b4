from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.mail.dots import first_dot_line


@pytest.mark.parametrize("dots", [0, 1, 30, 31, 32, 33, 34, 200])
def test_the_first_line_with_a_dot_is_found_behind_any_number_of_other_dots(dots):
    before = b"a." * dots
    assert first_dot_line(before) == -1
    assert first_dot_line(before + b"\r\n.") == len(before) + 1
    assert first_dot_line(before + b"\r\n.b\r\n.") == len(before) + 1


@given(st.text("\r\n.a", max_size=300).map(str.encode))
def test_it_is_what_a_search_for_lf_and_dot_finds(piece):
    assert first_dot_line(piece) == piece.find(b"\n.")


def test_a_dot_at_the_beginning_has_no_line_end_before_it():
    assert first_dot_line(b".a\n") == -1
    assert first_dot_line(b".") == -1
    assert first_dot_line(b"") == -1
