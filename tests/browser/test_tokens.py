"""Tokens of the API and the audit log, as people see and use them."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from relay.admin.access import Access
from relay.core.tenants.access import ApiToken
from relay.store.shelves.tokens import RedisTokenShelf
from tests.browser.test_sign_in import ask, cookies_of
from tests.browser.world import GLOBEX, PAUSED
from tests.harness.asked import ask as ask_store

PAGES = {"tokens": "/dashboard/tokens", "audit": "/dashboard/audit"}


def created(eyes, name: str, tenant: str | None = None, *scopes: str) -> str:
    """Make a token on the page; the text of it, as it is shown."""
    eyes.go("/dashboard/tokens")
    eyes.page.locator("[name=name]").fill(name)
    if tenant is not None:
        eyes.page.locator("select[name=tenant]").select_option(tenant)
    for scope in scopes:
        eyes.page.locator(f"[name={scope}]").check()
    eyes.page.get_by_role("button", name="Create").click()
    return eyes.page.locator("#new-token").inner_text()


def row(eyes, name: str):
    return eyes.page.locator("tbody tr", has=eyes.page.get_by_text(name, exact=True))


def listed(world) -> dict[str, dict]:
    """What `warmup-relay token list` tells, by name."""

    async def asked(tools) -> list[ApiToken]:
        return await Access(RedisTokenShelf(tools.line), tools.clock).tokens()

    found = ask_store(world.relay.config_path, asked)
    return {
        each.name: {
            "scopes": sorted(each.scopes),
            "tenant": each.tenant,
            "expires_at": each.expires_at,
        }
        for each in found
    }


@pytest.mark.parametrize("theme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
@pytest.mark.parametrize("width", [1280, 360])
def test_axe_finds_nothing_and_nothing_is_wider_than_the_window(look, theme, width):
    eyes, wrong = look("olga", theme, width), {}
    created(eyes, f"axe {theme} {width}", "acme", "read")

    def looked_at(name):
        wrong[name] = eyes.violations() + ["too wide"] * (eyes.overflow_px() > 0)

    looked_at("made")
    for name, path in PAGES.items():
        assert eyes.go(path) == 200
        looked_at(name)
    eyes.go("/dashboard/tokens")
    row(eyes, f"axe {theme} {width}").get_by_role("link").click()
    looked_at("revoke")
    assert wrong == {name: [] for name in ("made", *PAGES, "revoke")}


def test_a_token_is_shown_once_works_and_is_refused_once_revoked(look, world):
    eyes = look("olga")
    eyes.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    text = created(eyes, "ci of acme", "acme", "read", "send")
    eyes.page.get_by_role("button", name="Copy the token").click()
    eyes.page.get_by_text("Copied").wait_for()
    assert eyes.page.evaluate("navigator.clipboard.readText()") == text
    assert listed(world)["ci of acme"]["scopes"] == ["read", "send"]
    assert listed(world)["ci of acme"]["expires_at"] is not None

    eyes.go("/dashboard/tokens")
    assert text not in eyes.page.content()
    shown = row(eyes, "ci of acme").inner_text()
    assert "acme" in shown
    assert "read, send" in shown
    assert "never" in shown.split("\t")[4]
    assert world.web.get("/api/warmup", token=text).status == 200
    eyes.go("/dashboard/tokens")
    used = row(eyes, "ci of acme").locator("td time")
    assert used.count() == 3, "created, last used, expires: each with its zone"
    assert all("CE" in each for each in used.all_inner_texts())

    row(eyes, "ci of acme").get_by_role("link", name="Revoke ci of acme").click()
    eyes.page.get_by_label("Type ci of acme").fill("ci of acme")
    eyes.page.get_by_role("button", name="Revoke").click()
    eyes.page.wait_for_url("**/tokens?revoked=1")
    assert "revoked" in eyes.page.get_by_role("status").inner_text()
    assert row(eyes, "ci of acme").count() == 0
    assert world.web.get("/api/warmup", token=text).status == 401


def test_a_token_is_not_revoked_by_a_slip(look, world):
    eyes = look("olga")
    created(eyes, "kept", "acme", "read")
    eyes.go("/dashboard/tokens")
    row(eyes, "kept").get_by_role("link").click()
    typed = eyes.page.get_by_label("Type kept")
    typed.fill("something")
    assert eyes.page.get_by_role("button", name="Revoke").is_disabled()
    eyes.expected = (422,)
    eyes.page.locator("button.grave").evaluate("button => { button.disabled = false }")
    typed.press("Enter")
    assert "Nothing was done" in eyes.page.get_by_role("alert").inner_text()
    eyes.page.get_by_role("link", name="Keep it").click()
    assert "kept" in listed(world)


def test_it_is_all_done_by_the_keyboard(look, world):
    eyes = look("tina")
    eyes.go("/dashboard/tokens")
    keys = eyes.page.keyboard
    eyes.page.locator("[name=name]").focus()
    keys.type("by keyboard")
    keys.press("Tab")  # how long it lives
    keys.press("Tab")  # read
    keys.press("Space")
    for _ in range(3):  # send, manage, the button
        keys.press("Tab")
    keys.press("Enter")
    eyes.page.locator("#new-token").wait_for()
    assert listed(world)["by keyboard"]["scopes"] == ["read"]
    assert listed(world)["by keyboard"]["tenant"] == "acme"


def test_an_operators_token_is_for_all_tenants_and_has_no_other_scope(look, world):
    eyes = look("olga")
    text = created(eyes, "for all", "")
    assert listed(world)["for all"]["scopes"] == ["operator"]
    assert world.web.get(f"/api/warmup/status/{GLOBEX}", token=text).status == 200
    eyes.expected = (422,)
    for scopes, tenant in ((("read",), ""), ((), "acme")):
        eyes.go("/dashboard/tokens")
        eyes.page.locator("[name=name]").fill("never made")
        eyes.page.locator("select[name=tenant]").select_option(tenant)
        for scope in scopes:
            eyes.page.locator(f"[name={scope}]").check()
        eyes.page.get_by_role("button", name="Create").click()
        assert "No token was made" in eyes.page.get_by_role("alert").inner_text()
        assert eyes.page.locator("[name=name]").input_value() == "never made"
    assert "never made" not in listed(world)


def test_a_tenants_user_sees_makes_and_revokes_those_of_the_tenant_only(look, world, states):
    made = world.relay.cli(
        "token", "create", "--tenant", "globex", "--scope", "read", "--name", "of globex", "--json"
    ).json  # fmt: skip
    eyes = look("tina")
    text = created(eyes, "of tina", None, "manage")
    assert world.web.get(f"/api/warmup/status/{GLOBEX}", token=text).status == 404
    eyes.go("/dashboard/tokens")
    assert row(eyes, "of globex").count() == 0
    eyes.expected = (404,)
    assert eyes.go(f"/dashboard/tokens/{made['id']}/revoke") == 404
    eyes.go("/dashboard/tokens")
    csrf = eyes.page.locator("meta[name=csrf]").get_attribute("content")
    held = {
        "cookie": cookies_of(states["tina"]),
        "content_type": "application/x-www-form-urlencoded",
    }
    path = f"/dashboard/tokens/{made['id']}/revoke"
    assert ask(world, "POST", path, {"csrf": csrf, "typed": "of globex"}, **held).status == 404
    stolen = {"csrf": csrf, "name": "stolen", "tenant": "globex", "read": "1", "days": "7"}
    assert ask(world, "POST", "/dashboard/tokens", stolen, **held).status == 200
    assert listed(world)["stolen"]["tenant"] == "acme", "whatever the form says"
    assert "of globex" in listed(world)


def test_the_token_of_another_session_opens_no_form(look, world, states):
    eyes = look("olga")
    eyes.go("/dashboard/tokens")
    hers = eyes.page.locator("meta[name=csrf]").get_attribute("content")
    form = {"csrf": hers, "name": "by a stolen form", "read": "1", "days": "7"}
    held = {
        "cookie": cookies_of(states["tina"]),
        "content_type": "application/x-www-form-urlencoded",
    }
    assert ask(world, "POST", "/dashboard/tokens", form, **held).status == 403
    by_header = ask(
        world, "POST", "/dashboard/tokens", form | {"csrf": ""}, **held, x_csrf_token=hers
    )
    assert by_header.status == 403
    assert "by a stolen form" not in listed(world)


def make_51(eyes, world) -> None:
    """More tokens than a page shows, and more entries of the log: n00 to n50."""
    eyes.go("/dashboard/tokens")
    csrf = eyes.page.locator("meta[name=csrf]").get_attribute("content")
    held = eyes.page.context.request
    form = {"csrf": csrf, "tenant": "globex", "read": "1", "days": "7"}
    for number in range(51):
        body = urlencode(form | {"name": f"n{number:02}"})
        answer = held.post(
            f"{world.url}/dashboard/tokens", data=body,
            headers={"content-type": "application/x-www-form-urlencoded"},
        )  # fmt: skip
        assert answer.status == 200


def test_a_long_list_is_paged(look, world):
    eyes = look("olga")
    make_51(eyes, world)
    eyes.go("/dashboard/tokens")
    names = eyes.page.locator("tbody th").all_inner_texts()
    assert len(names) == 50
    assert names[0].startswith("n50")
    eyes.page.get_by_role("link", name="Next").click()
    assert eyes.page.locator("tbody th").first.inner_text().startswith("n00")
    assert eyes.go("/dashboard/tokens?page=no") == 200


def test_the_audit_log_tells_of_tokens_users_and_routes_from_page_and_command_line(look, world):
    eyes = look("olga")
    text = created(eyes, "in the log", "acme", "read")
    token_id = text.split("_")[1]
    assert world.relay.cli("token", "revoke", token_id).exit == 0
    eyes.go(f"/dashboard/audit?subject=token+{token_id}")
    entries = eyes.page.locator("ul.list > li").all_inner_texts()
    assert [entry.split(":")[0] for entry in entries] == ["revoke-token", "create-token"]
    assert "by command line (" in entries[0]
    assert "by user olga" in entries[1]
    assert "scopes – → read" in entries[1]
    assert text not in "".join(entries)
    eyes.go(f"/dashboard/audit?subject={PAUSED}@outbound")
    assert "state warming → paused" in eyes.text()
    eyes.go("/dashboard/audit?subject=user+tina")
    assert "add-user: user tina" in eyes.text()


def test_a_tenants_user_reads_the_entries_of_the_tenant_only(look, world):
    assert world.relay.cli("pause", GLOBEX).exit == 0
    assert world.relay.cli("resume", GLOBEX).exit == 0
    eyes = look("tina")
    eyes.go("/dashboard/audit")
    assert "user tina" in eyes.text()
    assert GLOBEX not in eyes.text()
    assert "user olga" not in [line.strip() for line in eyes.text().split("\n")]


def test_the_audit_log_is_paged_to_its_end(look, world):
    eyes, seen = look("olga"), []
    make_51(eyes, world)
    eyes.go("/dashboard/audit")
    for _ in range(20):
        seen += eyes.page.locator("ul.list > li time").evaluate_all("t => t.map(e => e.dateTime)")
        older = eyes.page.get_by_role("link", name="Older")
        if not older.count():
            break
        older.click()
    assert len(seen) > 50
    assert seen == sorted(seen, reverse=True)
