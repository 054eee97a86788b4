"""A search for a domain: names are A-labels, and people write letters."""

from unicodedata import normalize

import pytest

from relay.core.domain import is_part

MUNICH = "xn--mnchen-3ya.example@outbound"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("", MUNICH),
        ("xn--mn", MUNICH),
        ("münchen.example@out", MUNICH),
        ("ünch", f"news.{MUNICH}"),
        (normalize("NFD", "mün"), MUNICH),
        ("faß", "xn--fa-hia.example"),
        ("россия.рф", "xn--h1alffa9f.xn--p1ai"),
    ],
)
def test_a_part_of_a_name_is_found_in_either_of_its_forms(text, name):
    assert is_part(text, name)


@pytest.mark.parametrize("name", ["munchen.example", "xn--a.example", "xn--99999999999.example"])
def test_letters_are_not_found_where_there_are_none(name):
    assert not is_part("ü", name)
