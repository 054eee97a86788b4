"""The list of routes and the page of one, as people see and use them."""

from __future__ import annotations

import re

import pytest

from tests.browser.world import CLINIC, DONE, FRESH, GLOBEX, NEWS, PAUSED, TRIED, VAST
from tests.harness.waiting import until

PAGES = {
    "list": "/dashboard/warmup",
    "clinic": f"/dashboard/warmup/{CLINIC}",
    "news": f"/dashboard/warmup/{NEWS}",
    "warmed": f"/dashboard/warmup/{DONE}",
    "paused": f"/dashboard/warmup/{PAUSED}",
    "pending": f"/dashboard/warmup/{FRESH}",
}


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 360)])
def test_axe_finds_nothing_and_nothing_is_wider_than_the_window(look, theme, width):
    eyes, wrong = look("olga", theme, width), {}
    for name, path in PAGES.items():
        assert eyes.go(path) == 200
        wrong[name] = eyes.violations() + ["too wide"] * (eyes.overflow_px() > 0)
    assert wrong == {name: [] for name in PAGES}


@pytest.mark.parametrize("width", [360, 700, 1001, 1181])
def test_the_table_fits_its_card_at_every_width(look, width):
    eyes = look("olga", width=width)
    eyes.go(PAGES["list"])
    over = "card => card.querySelector('table').scrollWidth - card.clientWidth"
    assert eyes.page.locator("#routes").evaluate(over) <= 0
    assert eyes.overflow_px() == 0


@pytest.mark.parametrize("width", [360, 1280])
def test_the_largest_caps_fit_their_steps(look, width):
    eyes = look("olga", width=width)
    eyes.go(f"/dashboard/warmup/{VAST}")
    steps = eyes.page.locator(".steps li")
    assert steps.all_inner_texts()[1].split() == ["day", "1", "1,000,000,000"]
    over = "steps => steps.map(step => step.scrollWidth - step.clientWidth)"
    assert set(steps.evaluate_all(over)) == {0}


def test_the_card_shows_the_example_of_the_lifetime_tiers(look):
    # 500 a day, and 1,500 lifetime sends are crossed: today's cap stays, tomorrow's is 2,000.
    eyes = look()
    eyes.go(PAGES["clinic"])
    assert eyes.page.locator("#live .tier-cap").inner_text() == "500 per day"
    assert eyes.figure("Cumulative sent") == "1,500"
    assert eyes.figure("Remaining today") == "0"
    next_tier = eyes.figure("Next tier at").split("\n")
    assert next_tier == ["1,500", "reached: tomorrow’s cap is 2,000"]


def test_a_warmed_route_says_fully_warmed_with_its_check_mark(look):
    eyes = look()
    eyes.go(PAGES["warmed"])
    assert eyes.page.locator("#live .tier-cap").inner_text() == "✓ Fully warmed"


def test_providers_deferrals_and_replies_of_a_route_are_told_without_recipients(look):
    eyes = look()
    eyes.go(PAGES["news"])
    rows = eyes.part("Mailbox providers today").locator("tbody tr").all_inner_texts()
    assert [row.split() for row in rows] == [
        ["google", "50", "50", "0"],
        ["other", "50", "80", "0"],
    ]
    deferral = eyes.part("Recent deferrals").inner_text()
    assert "100 of 100 sent today" in deferral
    assert re.search(
        r"opens Tue \d+ \w+ \d+, 01:00 CES?T|opens \w+ \d+ \w+ \d+, 0[12]:00", deferral
    )
    assert "250 2.0.0" in eyes.part("Recent upstream replies").inner_text()
    assert "@" not in eyes.text()


@pytest.mark.parametrize("width", [360, 1280])
def test_the_legend_of_the_chart_is_inside_its_box(look, width):
    eyes = look(width=width)
    eyes.go(PAGES["news"])
    box = eyes.page.locator("[data-chart]")
    assert box.locator(".u-legend").count() == 1
    ends = "box => box.getBoundingClientRect().bottom"
    over = box.locator(".u-legend").evaluate(ends) - box.evaluate(ends)
    assert -2 < over < 1


def test_the_chart_has_every_day_and_the_days_to_come(look):
    eyes = look()
    eyes.go(PAGES["news"])
    assert eyes.page.locator("[data-chart] canvas").count() == 1
    eyes.page.get_by_text("The numbers as a table").click()
    rows = eyes.part("Cap against sent, by day").locator("details tbody tr").all_inner_texts()
    today = [row for row in rows if "today" in row]
    assert [row.split("\t")[1:] for row in today] == [["100", "100"]]
    assert [row.split("\t")[1:] for row in rows if "to come" in row] == [
        ["unlimited", "–"],
        ["150", "–"],
        ["120", "–"],
    ]
    assert [row.split("\t")[1:] for row in rows][-3:] == [["40", "40"], ["20", "18"], ["20", "20"]]


def test_a_tenant_sees_its_own_routes_and_no_others(look):
    eyes = look("tina")
    eyes.go(PAGES["list"])
    assert CLINIC in eyes.text()
    assert "globex" not in eyes.text()
    eyes.expected = (404,)
    assert eyes.go(f"/dashboard/warmup/{GLOBEX}") == 404
    assert eyes.go(f"/dashboard/warmup/{GLOBEX}/live") == 404


def test_the_list_is_searched_filtered_and_sorted_on_the_server(look):
    eyes = look()
    eyes.go(PAGES["list"])
    names = eyes.page.locator("#routes tbody th a")
    eyes.page.get_by_label("State").select_option("paused")
    until(lambda: names.all_inner_texts() == [PAUSED], "the filter")
    eyes.page.get_by_label("State").select_option("")
    eyes.page.get_by_label("Search").fill("acme")
    until(lambda: names.count() == 6, "the search")
    eyes.page.get_by_role("link", name="Sent today").click()
    eyes.page.locator("th[aria-sort=ascending]", has_text="Sent today").wait_for()
    eyes.page.get_by_role("link", name="Sent today").click()
    eyes.page.locator("th[aria-sort=descending]", has_text="Sent today").wait_for()
    assert names.all_inner_texts()[:2] == [CLINIC, NEWS]
    eyes.page.wait_for_url("**q=acme**order=desc**")
    eyes.page.get_by_label("State").select_option("warming")
    # Routes that other tests have tried may be warming too, below these.
    until(lambda: PAUSED not in names.all_inner_texts(), "the filter")
    assert names.all_inner_texts()[:2] == [CLINIC, NEWS]  # sorted as before
    assert set(eyes.page.locator("#routes tbody .badge").all_inner_texts()) == {"warming"}


def test_a_route_is_paused_and_resumed_and_the_trail_names_who_and_why(look, world):
    eyes, name = look(), TRIED[0]
    eyes.go(f"/dashboard/warmup/{name}")
    form = eyes.page.locator("form", has=eyes.page.get_by_role("heading", name="Pause"))
    form.get_by_label("Reason").fill("bounces <b>again</b>")
    form.get_by_role("button").click()
    eyes.page.get_by_text(f"{name} paused.").wait_for()
    assert world.relay.status(name)["reason"] == "bounces <b>again</b>"
    eyes.page.get_by_role("button", name="Resume").click()
    eyes.page.get_by_text(f"{name} resumed.").wait_for()
    trail = eyes.part("Audit trail").locator("li").all_inner_texts()
    assert "resume by user olga" in trail[0]
    assert "pending → paused: bounces <b>again</b>" in trail[1]


def test_what_cannot_be_undone_wants_the_name_typed(look, world):
    eyes, name = look(), TRIED[1]
    eyes.expected = (422,)
    eyes.go(f"/dashboard/warmup/{name}")
    form = eyes.page.locator("form", has=eyes.page.get_by_role("heading", name="Graduate"))
    form.get_by_label(f"Type {name}").fill(TRIED[0])
    form.evaluate("form => form.submit()")
    eyes.page.get_by_role("alert").wait_for()
    assert "Nothing was done" in eyes.page.get_by_role("alert").inner_text()
    assert world.relay.status(name)["state"] == "pending"
    form.get_by_label(f"Type {name}").fill(name)
    form.get_by_role("button").click()
    eyes.page.get_by_text(f"{name} graduated.").wait_for()
    assert world.relay.status(name)["state"] == "warmed"


def test_the_counter_is_alive_without_a_reload(look, world):
    eyes = look("tina")
    eyes.go(PAGES["pending"])
    assert eyes.figure("Sent today") == "0"
    assert world.send(FRESH, 3) == 250
    until(lambda: eyes.figure("Sent today") == "3", "the counter")
    assert eyes.figure("Remaining today") == "17"


def test_a_page_that_is_open_says_that_somebody_else_has_paused_the_route(look, world):
    eyes = look("tina")
    eyes.go(PAGES["pending"])
    assert eyes.page.locator("#why").is_hidden()
    world.relay.cli("pause", FRESH, "--reason", "bounces <b>again</b>")
    until(lambda: eyes.page.locator(".head .badge").inner_text() == "paused", "the state")
    assert eyes.page.locator("#why").inner_text() == "Paused: bounces <b>again</b>"
    assert eyes.violations() == []
    world.relay.cli("resume", FRESH)
    until(lambda: eyes.page.locator("#why").is_hidden(), "the resumption")
    assert eyes.page.locator(".head .badge").inner_text() in {"pending", "warming"}


@pytest.mark.parametrize("fault", ["no network", "no store"])
def test_a_page_says_that_its_numbers_may_be_old_until_somebody_answers_again(look, fault):
    eyes = look("tina")
    eyes.go(PAGES["pending"])
    away = eyes.page.get_by_text("what stands here may be old")
    assert away.count() == 0

    if fault == "no network":
        eyes.page.context.set_offline(True)
    else:
        eyes.page.route("**/live", lambda route: route.fulfill(status=503, body="away"))
    away.wait_for()
    assert re.match(r"No answer since \d\d:\d\d:\d\d \(.+\): ", away.inner_text())
    assert eyes.violations() == []

    eyes.page.context.set_offline(False)
    eyes.page.unroute_all()
    away.wait_for(state="detached")
    told = ("Failed to load resource", "htmx:sendError", "Response Status Error Code 503")
    eyes.complaints = [said for said in eyes.complaints if not said.startswith(told)]


def test_the_theme_switch_is_remembered_and_keyboards_reach_it(look):
    eyes = look()
    eyes.go(PAGES["list"])
    background = "getComputedStyle(document.body).backgroundColor"
    light = eyes.page.evaluate(background)
    eyes.page.keyboard.press("Tab")
    assert eyes.page.evaluate("document.activeElement.className") == "skip"
    eyes.page.get_by_role("button", name="Dark").focus()
    eyes.page.keyboard.press("Enter")
    dark = eyes.page.evaluate(background)
    assert dark != light
    eyes.go(PAGES["clinic"])
    assert eyes.page.evaluate(background) == dark
