"""Domains: added on a page, their records copied, verified, changed, removed."""

from __future__ import annotations

import pytest

from tests.browser.world import NEWS
from tests.harness.dns import txt
from tests.harness.waiting import until

FIRST = "first.emil.example"


def add(eyes, name: str) -> None:
    eyes.page.get_by_label("Domain", exact=True).fill(name)
    eyes.page.locator("select[name=policy]").select_option("ramp")
    eyes.page.get_by_role("button", name="Add the domain").click()
    eyes.page.get_by_role("heading", name=name, exact=True).wait_for()


def press(eyes, button: str) -> str:
    """Press it; what the page then says."""
    with eyes.page.expect_navigation():  # the page before may say something too
        eyes.page.get_by_role("button", name=button, exact=True).click()
    said = eyes.page.locator("main [role=status], main [role=alert]").first
    said.wait_for()
    return said.inner_text()


def remove(eyes, name: str) -> None:
    eyes.page.get_by_label(f"Type {name}").fill(name)
    said = press(eyes, "Remove")
    assert said == f"{name} is removed."


def test_the_first_domain_from_nothing_to_a_route(look, world):
    eyes = look("emil")
    eyes.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    eyes.go("/dashboard/warmup")
    add(eyes, FIRST)
    assert "pending" in eyes.text()
    eyes.expected = (409, 422)
    assert f"_warmup-relay.{FIRST}. has no TXT record" in press(eyes, "Verify now")

    eyes.page.get_by_role("button", name="Copy the value of record 1").click()
    eyes.page.get_by_text("Copied").wait_for()
    token = eyes.page.evaluate("navigator.clipboard.readText()")
    world.dns.server.scripts[f"_warmup-relay.{FIRST}", "TXT"] = txt(token)
    assert "Mail from it is taken now" in press(eyes, "Verify now")
    assert eyes.violations() == []
    eyes.page.get_by_role("link", name="Its warm-up").click()
    eyes.page.get_by_role("heading", name="Sender Warming").wait_for()

    eyes.go(f"/dashboard/domains/{FIRST}")
    eyes.page.locator("select[name=policy]").select_option("tried")
    assert press(eyes, "Change") == "Changed."
    until(lambda: world.relay.status(FIRST)["policy"] == "tried", "the relay")
    eyes.go(f"/dashboard/domains/{FIRST}")
    button = eyes.page.get_by_role("button", name="Remove", exact=True)
    eyes.page.get_by_label(f"Type {FIRST}").fill("something else")
    assert button.is_disabled()
    remove(eyes, FIRST)
    eyes.go("/dashboard/warmup")
    assert "First steps" in eyes.text()


@pytest.mark.parametrize(("theme", "width"), [("dark", 1280), ("light", 360)])
def test_axe_finds_nothing_and_nothing_is_wider_than_the_window(look, theme, width):
    eyes, wrong = look("olga", theme, width), {}
    name = f"{theme}.acme.example"
    eyes.go("/dashboard/domains")
    eyes.page.locator("select[name=tenant]").select_option("acme")
    add(eyes, name)
    for path in ("/dashboard/domains", f"/dashboard/domains/{name}", f"/dashboard/domains/{NEWS}"):
        assert eyes.go(path) == 200
        wrong[path] = eyes.violations() + ["too wide"] * (eyes.overflow_px() > 0)
    assert [path for path, found in wrong.items() if found] == [], wrong
    eyes.go(f"/dashboard/domains/{name}")
    eyes.page.get_by_label("Reason").fill("known to us")
    assert "Approved" in press(eyes, "Approve")
    remove(eyes, name)


@pytest.mark.parametrize("width", [360, 1280])
def test_a_long_name_makes_no_page_wider_than_the_window(look, width):
    eyes, name = look("tina", width=width), f"{'long' * 15}.acme.example"
    eyes.go("/dashboard/domains")
    add(eyes, name)
    olga, pages = look("olga", width=width), ("warmup", f"warmup/{name}", f"domains/{name}")
    olga.go(f"/dashboard/domains/{name}")
    assert "Approved" in press(olga, "Approve")
    for page in (*pages, "domains", "connect", "send-test", "audit"):
        assert olga.go(f"/dashboard/{page}") == 200
        assert (page, olga.overflow_px()) == (page, 0)
    olga.go(f"/dashboard/domains/{name}")
    remove(olga, name)


def test_a_tenant_sees_its_own_and_may_not_approve(look):
    olga, tina = look("olga"), look("tina")
    olga.go("/dashboard/domains")
    olga.page.locator("select[name=tenant]").select_option("globex")
    add(olga, "theirs.globex.example")
    tina.go("/dashboard/domains")
    assert "theirs.globex.example" not in tina.text()
    tina.expected = (404,)
    assert tina.go("/dashboard/domains/theirs.globex.example") == 404
    tina.go("/dashboard/domains")
    add(tina, "mine.acme.example")
    assert tina.page.get_by_role("button", name="Approve").count() == 0
    assert "exempt" not in tina.page.locator("select[name=policy]").inner_text()
    remove(tina, "mine.acme.example")
    olga.go("/dashboard/domains/theirs.globex.example")
    remove(olga, "theirs.globex.example")


def test_what_somebody_else_has_changed_meanwhile_is_shown_and_not_overwritten(look):
    olga, tina, name = look("olga"), look("tina"), "both.acme.example"
    tina.expected = (409,)
    tina.go("/dashboard/domains")
    add(tina, name)
    olga.go(f"/dashboard/domains/{name}")
    olga.page.locator("select[name=policy]").select_option("tried")
    assert press(olga, "Change") == "Changed."

    tina.page.locator("select[name=policy]").select_option("calendar-14-day")
    assert press(tina, "Change") == f"{name} has been changed since it was read: read it again"
    assert tina.page.locator("select[name=policy]").input_value() == "tried"
    assert press(tina, "Change") == "Changed."
    remove(tina, name)


def test_what_is_refused_is_told_and_the_form_keeps_what_was_typed(look):
    eyes = look("tina")
    eyes.expected = (409, 422)
    eyes.go("/dashboard/domains")
    eyes.page.get_by_label("Domain", exact=True).fill("no domain")
    assert "is not a domain name" in press(eyes, "Add the domain")
    assert eyes.page.get_by_label("Domain", exact=True).input_value() == "no domain"
    eyes.page.get_by_label("Domain", exact=True).fill(NEWS)
    assert "relay.yaml, at tenants.acme.domains" in press(eyes, "Add the domain")


def test_the_list_is_searched_and_a_domain_of_the_file_is_read_only(look):
    eyes = look("tina")
    eyes.go("/dashboard/domains")
    eyes.page.get_by_label("Search").fill("news")
    eyes.page.get_by_role("button", name="Show").click()
    eyes.page.wait_for_url("**q=news**")
    rows = eyes.page.locator("tbody tr")
    assert (rows.count(), "in relay.yaml" in rows.first.inner_text()) == (1, True)
    eyes.page.get_by_role("link", name=NEWS).click()
    eyes.page.get_by_role("heading", name=NEWS).wait_for()
    assert "change it there" in eyes.text()
    assert eyes.page.get_by_role("button", name="Remove").count() == 0
