"""Signing in and out: what a browser keeps, and what a stranger gets."""

from __future__ import annotations

import http.client
from urllib.parse import urlencode

import pytest

from tests.browser.world import CLINIC, PASSWORD


def ask(world, method: str, path: str, form: dict | None = None, **headers: str):
    """One request without a browser: status, headers."""
    connection = http.client.HTTPConnection("127.0.0.1", world.web.port, timeout=20)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = urlencode(form) if form is not None else None
    connection.request(method, path, body, named)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


def cookies_of(state) -> str:
    return "; ".join(f"{each['name']}={each['value']}" for each in state["cookies"])


def test_the_form_brings_one_back_to_where_one_wanted_to_go(look):
    eyes = look(None)
    eyes.go(f"/dashboard/warmup/{CLINIC}")
    assert "/sign-in?next=" in eyes.page.url
    assert eyes.violations() == []
    eyes.page.get_by_label("Name").fill("tina")
    eyes.page.get_by_label("Password").fill(PASSWORD)
    eyes.page.get_by_role("button", name="Sign in").click()
    eyes.page.wait_for_url(f"**/{CLINIC}")
    cookies = {each["name"]: each for each in eyes.page.context.cookies()}
    session = cookies["wr_session"]
    assert (session["httpOnly"], session["sameSite"], session["secure"]) == (True, "Lax", False)
    assert cookies["wr_zone"]["value"] == "Europe/Berlin"


def test_signing_out_ends_the_session_in_the_store_too(look, world):
    eyes = look(None)
    eyes.sign_in("tina", PASSWORD)
    held = cookies_of(eyes.page.context.storage_state())
    assert ask(world, "GET", "/dashboard/warmup", cookie=held).status == 200
    eyes.page.get_by_role("button", name="Sign out").click()
    eyes.page.wait_for_url("**/sign-in")
    assert ask(world, "GET", "/dashboard/warmup", cookie=held).status == 303


def test_wrong_passwords_lock_the_account_for_longer_and_longer(look):
    eyes = look(None)
    eyes.expected = (401, 429)
    eyes.go("/dashboard/sign-in")
    said = []
    for _ in range(7):
        eyes.page.get_by_label("Name").fill("lock")
        eyes.page.get_by_label("Password").fill("not the password")
        eyes.page.get_by_role("button", name="Sign in").click()
        said.append(eyes.page.get_by_role("alert").inner_text())
    assert said[:5] == ["That name and password do not go together."] * 5
    assert any("Too many attempts" in each for each in said[5:])


@pytest.mark.parametrize(
    "path", ["/dashboard/warmup", f"/dashboard/warmup/{CLINIC}", "/dashboard/no-such-page"]
)
def test_a_stranger_gets_the_form_and_nothing_else(world, path):
    assert ask(world, "GET", path).status == 303
    assert ask(world, "GET", path, hx_request="true").status == 401
    assert ask(world, "GET", path, cookie="wr_session=made-up").status == 303
    assert ask(world, "POST", path, {}).status == 303


def test_a_form_needs_the_token_of_its_session_and_its_own_site(world, states):
    path, held = "/dashboard/warmup/try3.globex.example/pause", cookies_of(states["olga"])
    form = "application/x-www-form-urlencoded"
    without = ask(world, "POST", path, {"reason": "x"}, cookie=held, content_type=form)
    wrong = ask(world, "POST", path, {"csrf": "made up"}, cookie=held, content_type=form)
    assert (without.status, wrong.status) == (403, 403)
    page = ask(world, "GET", "/dashboard/warmup", cookie=held)
    assert page.status == 200
    elsewhere = ask(world, "POST", path, {}, cookie=held, origin="https://evil.example")
    assert elsewhere.status == 403
    assert world.relay.status("try3.globex.example")["state"] == "pending"


def test_behind_tls_the_cookie_is_for_tls_only(world):
    answer = ask(world, "GET", "/dashboard/sign-in", x_forwarded_proto="https")
    assert "Secure" in answer.headers["set-cookie"]
    assert "HttpOnly" in answer.headers["set-cookie"]


def test_no_script_or_style_may_stand_in_a_page(world):
    answer = ask(world, "GET", "/dashboard/sign-in")
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "style-src 'self';" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-frame-options"] == "DENY"


def test_a_next_that_leads_away_is_not_followed(look):
    eyes = look("olga")
    eyes.go("/dashboard/sign-in?next=https://evil.example/")
    assert eyes.page.url.endswith("/dashboard/warmup")
    eyes.go("/dashboard/sign-in?next=//evil.example/dashboard/")
    assert eyes.page.url.endswith("/dashboard/warmup")
