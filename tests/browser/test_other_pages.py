"""Policies and their editor, the test message, and the first steps."""

from __future__ import annotations

import pytest

from tests.browser.world import NEWS, TRIED
from tests.harness.waiting import until

PAGES = {
    "policies": "/dashboard/policies?policy=ramp&with=calendar-14-day&volume=200",
    "not comparable": "/dashboard/policies?policy=ramp&with=lifetime-tiers",
    "editor": "/dashboard/policies/ramp/edit",
    "test": "/dashboard/send-test",
    "connect": "/dashboard/connect",
    "api": "/api/docs",
}
WRITTEN = """
window.written = [];
const write = CanvasRenderingContext2D.prototype.fillText;
CanvasRenderingContext2D.prototype.fillText = function (text, ...place) {
  window.written.push(text);
  write.call(this, text, ...place);
};
"""
"""Keeps what charts write on their canvas."""


def test_a_page_that_is_not_there_says_so_in_a_sentence(look):
    eyes = look("olga")
    eyes.expected = (404,)
    assert eyes.go("/dashboard/nothing/of/this") == 404
    assert "There is no such page." in eyes.text()


@pytest.mark.parametrize("path", ["policies", f"warmup/{NEWS}"])
def test_where_a_chart_would_be_one_without_scripts_is_sent_to_the_table(look, path):
    told = "It is drawn with JavaScript; the table has its numbers."
    plain, usual = look("olga", scripts=False), look("olga")
    for eyes in (plain, usual):
        eyes.go(f"/dashboard/{path}")
    assert told in plain.text()
    assert told not in usual.text()
    assert plain.page.locator("main table").count() > 0


@pytest.mark.parametrize(("theme", "width"), [("dark", 1280), ("light", 360)])
def test_axe_finds_nothing_and_nothing_is_wider_than_the_window(look, theme, width):
    eyes, wrong = look("olga", theme, width), {}
    for name, path in PAGES.items():
        assert eyes.go(path) == 200
        wrong[name] = eyes.violations() + ["too wide"] * (eyes.overflow_px() > 0)
    assert wrong == {name: [] for name in PAGES}


def test_two_policies_are_compared_and_a_volume_is_planned(look):
    eyes = look("tina")
    eyes.go("/dashboard/policies")
    eyes.page.locator("[name=policy]").select_option("ramp")
    eyes.page.locator("[name=with]").select_option("calendar-14-day")
    eyes.page.get_by_label("What if I sent, a day").fill("60")
    eyes.page.get_by_role("button", name="Show").click()
    eyes.page.get_by_role("heading", name="60 a day by ramp").wait_for()
    assert "day 11\tunlimited" in eyes.part("ramp").inner_text()
    assert "day 14\tunlimited" in eyes.part("calendar-14-day").inner_text()
    assert eyes.page.locator("[data-chart] canvas").count() == 2
    plan = eyes.part("60 a day by ramp")
    assert "(day 11)" in plan.locator("li").first.inner_text()
    plan.get_by_text("Day by day").click()
    first = plan.locator("details tbody tr").first.inner_text().split("\t")
    assert first[1:] == ["20", "60", "20", "40", "0"]
    assert eyes.page.get_by_role("link", name="Edit").count() == 0


def test_the_axes_of_a_short_ramp_say_no_number_twice(look):
    eyes = look()
    eyes.page.add_init_script(WRITTEN)
    eyes.go("/dashboard/policies?policy=tried")
    written = eyes.page.evaluate("() => window.written")
    days = written[written.index("day") + 1 :][:5]
    assert days == ["0", "1", "2", "3", "4"], written


def test_a_tenant_may_not_edit_a_policy(look):
    eyes = look("tina")
    eyes.expected = (403,)
    assert eyes.go("/dashboard/policies/ramp/edit") == 403


def test_faults_are_told_with_their_line_as_one_types_and_nothing_is_saved(look, world):
    eyes = look()
    file = world.relay.home / "policies" / "ramp.yaml"
    before = file.read_text()
    eyes.go("/dashboard/policies/ramp/edit")
    found = eyes.page.locator("#found")
    found.get_by_text("As it is in the file").wait_for()
    lines = before.splitlines()
    at = next(n for n, line in enumerate(lines) if "cap: 20" in line)
    lines[at] = lines[at].replace("cap: 20", "cap: many")
    eyes.page.locator("#policy-text").fill("\n".join(lines))
    found.get_by_text(f"Line {at + 1}, column").first.wait_for()
    eyes.expected = (409,)
    eyes.page.get_by_role("button", name="Save").click()
    assert "Not saved: there are faults" in eyes.page.get_by_role("alert").inner_text()
    assert file.read_text() == before


def test_an_edit_shows_the_caps_it_changes_and_is_in_force_once_saved(look, world):
    eyes = look()
    folder = world.relay.home / "policies"
    before = (folder / "tried.yaml").read_text()
    eyes.go("/dashboard/policies/tried/edit")
    eyes.page.locator("#policy-text").fill(before.replace("cap: 30", "cap: 33"))
    row = eyes.page.locator("#found tbody tr", has_text=TRIED[2])
    until(lambda: row.count() and "30 → 33" in row.inner_text(), "the difference")
    eyes.page.get_by_role("button", name="Save").click()
    eyes.page.wait_for_url("**/policies?policy=tried**")
    assert eyes.page.get_by_role("status").inner_text() == "tried is saved."
    assert (folder / "tried.yaml").read_text() == before.replace("cap: 30", "cap: 33")
    [backup] = folder.glob("tried.yaml.*.bak")
    assert backup.read_text() == before
    until(lambda: world.relay.status(TRIED[2])["daily_limit"] == 33, "the relay", timeout_s=20)


def test_a_test_message_shows_the_reply_the_signature_and_the_quota(look, world):
    eyes = look("tina")
    eyes.go("/dashboard/send-test?domain=signed.acme.example")
    eyes.page.locator("[name=to]").fill("someone@example.com")
    eyes.page.get_by_role("button", name="Send", exact=True).click()
    came = eyes.part("What came of it")
    assert "The upstream took it: 250 2.0.0" in came.get_by_role("status").inner_text()
    verdicts = came.locator("li").all_inner_texts()
    assert [each.split() for each in verdicts] == [["s1", "valid"], ["s2", "valid"]]
    assert came.locator("tbody tr").inner_text().split("\t")[1:] == ["0", "1", "20", "19"]
    assert eyes.violations() == []
    assert world.relay.status("signed.acme.example")["emails_sent_today"] == 1


def test_a_test_message_meets_the_same_wall_as_all_mail(look):
    eyes = look("tina")
    eyes.go(f"/dashboard/send-test?domain={NEWS}")
    eyes.page.locator("[name=to]").fill("someone@example.com")
    eyes.page.get_by_role("button", name="Send", exact=True).click()
    said = eyes.part("What came of it").get_by_role("status").inner_text()
    assert said.startswith("Not sent: 451 4.7.1")
    assert "100 of 100 sent today" in said


def test_a_bad_address_is_told_and_nothing_is_sent(look):
    eyes = look("tina")
    eyes.expected = (422,)
    eyes.go(f"/dashboard/send-test?domain={NEWS}")
    eyes.page.locator("[name=to]").fill("no address")
    eyes.page.get_by_role("button", name="Send", exact=True).click()
    assert "is not user@domain" in eyes.page.get_by_role("alert").inner_text()


def test_an_empty_dashboard_says_what_to_do_next(look):
    eyes = look("emil", width=360)
    eyes.go("/dashboard/warmup")
    assert "First steps" in eyes.text()
    assert eyes.page.get_by_role("button", name="Add the domain").count() == 1
    assert eyes.violations() == []
    assert eyes.overflow_px() == 0


def test_a_tenant_has_its_own_name_logo_and_colour(look):
    eyes = look("emil")
    eyes.go("/dashboard/policies")
    head = eyes.page.locator("a.brand")
    assert head.inner_text() == "Emil Mail"
    assert head.locator("img").evaluate("image => image.naturalWidth") == 2
    shown = eyes.page.get_by_role("button", name="Show")
    colour = shown.evaluate("button => getComputedStyle(button).backgroundColor")
    assert colour not in {"rgb(11, 95, 203)", "rgb(255, 212, 0)"}, "its own, darker, to be read"
    assert eyes.violations() == []
    others = look("tina")
    others.go("/dashboard/policies")
    assert others.page.locator("a.brand").inner_text() == "warmup-relay"
    others.expected = (404,)
    assert others.go("/dashboard/brand-logo") == 404


def test_snippets_and_records_can_be_copied(look, world):
    eyes = look("tina")
    eyes.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    eyes.go("/dashboard/connect")
    for name in ("Django", "Rails", "Laravel", "nodemailer", "listmonk", "Mautic", "Postfix"):
        assert eyes.page.locator("summary", has_text=name).count() == 1
    eyes.page.get_by_role("button", name="Copy django").click()
    eyes.page.get_by_text("Copied").wait_for()
    copied = eyes.page.evaluate("navigator.clipboard.readText()")
    assert f"EMAIL_PORT = {world.relay.port}" in copied
    assert "s1._domainkey.signed.acme.example. IN TXT" in eyes.text()
