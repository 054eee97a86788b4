"""Searching the pages for a domain as people write it, in letters that its name has not."""

from urllib.parse import quote

import pytest

from tests.harness.visitor import Visitor

PASSWORD = "correct horse battery staple"
NAME = "xn--mnchen-3ya.acme.example"


@pytest.fixture(scope="module")
def olga(web, relay, operator) -> Visitor:
    """Signed in; there is a domain in letters, and it sends."""
    made = web.post("/api/domains", {"name": "münchen.acme.example", "policy": "ramp"})
    assert (made.status, made.json["name"]) == (201, NAME)
    assert web.post(f"/api/domains/{NAME}/approve", token=operator).status == 200
    assert relay.cli("user", "add", "olga", "--operator", stdin=f"{PASSWORD}\n").exit == 0
    visitor = Visitor(web.port)
    assert visitor.sign_in("olga", PASSWORD).status == 303
    return visitor


@pytest.mark.parametrize("page", ["warmup", "domains"])
@pytest.mark.parametrize("search", ["münchen", "MÜNCH", "xn--mn"])
def test_a_domain_is_found_by_its_letters_and_by_its_name(olga, page, search):
    text = olga.get(f"/dashboard/{page}?q={quote(search)}").text
    assert f'href="/dashboard/{page}/{NAME}"' in text
    assert "d00.acme.example" not in text
