from __future__ import annotations

import pytest

from relay.core.domain import is_own_form, normalize_domain


@pytest.mark.parametrize("text", ["acme.example", "ACME.Example.", "näws.example", "NÄWS.example"])
def test_a_name_in_any_case_is_its_own_form(text):
    assert is_own_form(text.removesuffix("."), normalize_domain(text))


@pytest.mark.parametrize(
    "text", ["ａcme.example", "acme。example", "acme．example", "ac\u00adme.example"]
)
def test_what_only_looks_like_it_is_not(text):
    assert normalize_domain(text) == "acme.example"
    assert not is_own_form(text, "acme.example")
