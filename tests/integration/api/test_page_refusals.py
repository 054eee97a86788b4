"""A page asked for in a way that it does not take, and a form that is too long for it."""

from __future__ import annotations

import http.client
from urllib.parse import urlencode

import pytest

from tests.harness.visitor import FORM, Visitor

PASSWORD = "correct horse battery staple"
TAKEN = {
    "/dashboard/warmup": "GET, HEAD",
    "/dashboard/tokens": "GET, HEAD, POST",
    "/dashboard/sign-out": "POST",
    "/dashboard/warmup/news.acme.example/pause": "POST",
}


@pytest.fixture(scope="module")
def olga(web, relay) -> Visitor:
    """Signed in."""
    assert relay.cli("user", "add", "olga", "--operator", stdin=f"{PASSWORD}\n").exit == 0
    visitor = Visitor(web.port)
    assert visitor.sign_in("olga", PASSWORD).status == 303
    return visitor


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        # A proxy that names us by our own address, as nginx does unless it is told not to.
        ({"origin": "https://dash.example", "sec-fetch-site": "same-origin"}, 303),
        ({"origin": "https://dash.example", "sec-fetch-site": "same-site"}, 403),
        ({"origin": "https://dash.example", "sec-fetch-site": "cross-site"}, 403),
        # An older browser.
        ({"origin": "https://dash.example"}, 403),
        ({"origin": "https://dash.example", "host": "dash.example"}, 303),
        ({"origin": "null"}, 403),
        ({"origin": "http://["}, 403),
        ({}, 303),
    ],
)
def test_a_form_is_taken_from_our_own_pages_only(web, olga, sent, status):
    anew = Visitor(web.port)
    page = anew.get("/dashboard/sign-in")
    assert page.status == 200
    form = {"form": anew.cookies["wr_form"], "name": "olga", "password": PASSWORD, "next": ""}
    headers = {"content-type": FORM, "cookie": f"wr_form={anew.cookies['wr_form']}", **sent}
    connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=30)
    connection.request("POST", "/dashboard/sign-in", urlencode(form), headers)
    answer = connection.getresponse()
    told = answer.read().decode()
    connection.close()
    assert (answer.status, "comes from elsewhere" in told) == (status, status == 403)


@pytest.mark.parametrize("path", TAKEN)
def test_a_405_names_every_method_of_the_address(olga, path):
    headers = {
        "cookie": "; ".join(f"{name}={value}" for name, value in olga.cookies.items()),
        "x-csrf-token": olga.csrf,
    }
    connection = http.client.HTTPConnection("127.0.0.1", olga.port, timeout=30)
    connection.request("PUT", path, headers=headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    assert (answer.status, answer.getheader("allow")) == (405, TAKEN[path])
    assert "This address does not take PUT." in text


def test_a_form_that_is_too_long_is_refused_with_a_page(olga):
    answer = olga.post("/dashboard/policies/ramp/save", text="#" * 1_048_576)
    assert (answer.status, answer.headers["content-type"]) == (413, "text/html; charset=utf-8")
    assert "style-src 'self'" in answer.headers["content-security-policy"]
    assert "a body is at most 1048576 bytes" in answer.text
