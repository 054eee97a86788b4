"""Users from the command line to the pages: passwords, lock-out, what is noted; and the editor."""

from __future__ import annotations

import os
import re
import time

import pytest

from relay.admin.users import Users
from relay.store.shelves.users import RedisUserShelf
from tests.harness.asked import ask
from tests.harness.visitor import Visitor
from tests.harness.web_process import WebProcess

PASSWORD = "correct horse battery staple"
OTHER = "a quite different password"
WITHOUT_OVERRIDE = ("setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override")
"""Root may write anywhere; without this capability it is held to the mode of a directory."""


@pytest.fixture(scope="module")
def olga(web, relay) -> str:
    """An operator."""
    made = relay.cli("user", "add", "olga", "--operator", "--json", stdin=f"{PASSWORD}\n")
    assert (made.exit, made.json["tenant"]) == (0, None), made
    return "olga"


def add(relay, name: str, tenant: str = "acme") -> None:
    assert relay.cli("user", "add", name, "--tenant", tenant, stdin=f"{PASSWORD}\n").exit == 0


def add_quickly(relay, name: str) -> None:
    """`add`, without the command around it."""

    async def asked(tools) -> bool:
        users = Users(RedisUserShelf(tools.line), tools.clock, "command line (tests)")
        return bool(await users.add(name, "acme", PASSWORD))

    assert ask(relay.config_path, asked)


def actions(web, operator, subject: str) -> list[tuple[str, str]]:
    told = web.get(f"/api/audit?subject={subject.replace(' ', '%20')}", token=operator).json
    return [(each["action"], each["actor"].split(" (")[0]) for each in told["data"]]


def test_another_password_ends_the_session_and_only_it_opens(web, relay, operator):
    add(relay, "tina")
    here, there = Visitor(web.port), Visitor(web.port)
    assert here.sign_in("tina", PASSWORD).status == 303
    assert here.is_signed_in
    assert relay.cli("user", "password", "tina", stdin=f"{OTHER}\n").exit == 0
    assert not here.is_signed_in
    assert there.sign_in("tina", PASSWORD).status == 401
    assert there.sign_in("tina", OTHER).status == 303
    assert there.is_signed_in
    assert relay.cli("user", "remove", "tina").exit == 0
    assert not there.is_signed_in
    assert actions(web, operator, "user tina") == [
        ("remove-user", "command line"),
        ("set-password", "command line"),
        ("add-user", "command line"),
    ]


def test_a_password_that_is_none_changes_nothing(relay, web):
    add_quickly(relay, "toni")
    for words, told in (
        (("password", "toni"), "at least 12 characters"),
        (("add", "other", "--tenant", "acme"), "at least 12 characters"),
    ):
        ran = relay.cli("user", *words, stdin="short\n")
        assert (ran.exit, told in ran.err) == (2, True)
    assert relay.cli("user", "password", "nobody", stdin=f"{OTHER}\n").exit == 1
    assert relay.cli("user", "add", "toni", "--tenant", "acme", stdin=f"{OTHER}\n").exit == 1
    assert [
        u["name"] for u in relay.cli("user", "list", "--json").json if u["name"] == "other"
    ] == []
    assert Visitor(web.port).sign_in("toni", PASSWORD).status == 303


def test_after_five_wrong_passwords_the_right_one_has_to_wait_too(web, relay):
    add_quickly(relay, "lara")
    guesser = Visitor(web.port)
    assert [guesser.sign_in("lara", f"guess {n}").status for n in range(5)] == [401] * 5
    locked = guesser.sign_in("lara", PASSWORD)
    wait_s = int(locked.headers["retry-after"])
    assert (locked.status, 1 <= wait_s <= 10) == (429, True)
    assert "Too many attempts" in locked.text
    assert Visitor(web.port).sign_in("lara", PASSWORD).status == 429, "for everybody"
    time.sleep(wait_s)
    assert guesser.sign_in("lara", PASSWORD).status == 303
    slips = Visitor(web.port)
    assert slips.sign_in("lara", "one slip").status == 401
    assert slips.sign_in("lara", PASSWORD).status == 303, "a right one forgets the wrong ones"


def test_what_is_done_on_the_pages_is_noted_as_the_users(web, relay, operator, olga, domain):
    visitor = Visitor(web.port)
    visitor.sign_in(olga, PASSWORD)
    assert visitor.post(f"/dashboard/warmup/{domain}/pause", reason="look").status == 303
    assert actions(web, operator, f"{domain}@outbound") == [("pause", "user olga")]


def test_a_routes_trail_has_nothing_of_a_tenant_whose_domain_it_was(web, relay, globex, operator):
    name, wanted = "sold.example", {"name": "sold.example", "policy": "ramp"}
    path = f"/api/domains/{name}"
    assert web.post("/api/domains", wanted, token=globex).status == 201
    assert web.post(f"{path}/approve", token=operator).status == 200
    told = {"reason": "a secret of globex"}
    assert web.post(f"/api/warmup/pause/{name}", told, token=globex).status == 200
    assert web.post(f"/api/warmup/resume/{name}", token=globex).status == 200
    assert web.ask("DELETE", path, token=globex).status == 200
    assert web.post("/api/domains", wanted).status == 201
    assert web.post(f"{path}/approve", token=operator).status == 200
    add(relay, "anna")
    visitor = Visitor(web.port)
    visitor.sign_in("anna", PASSWORD)
    page = visitor.get(f"/dashboard/warmup/{name}")
    assert (page.status, "Nobody has changed this route." in page.text) == (200, True)
    assert "secret" not in page.text


@pytest.mark.parametrize("reason", ["\x1b]0;owned\x07 look", "\x00\x7flook", "\u2028 look\r\n"])
def test_a_reason_of_a_form_is_one_line_that_no_terminal_obeys(web, relay, olga, domain, reason):
    visitor = Visitor(web.port)
    visitor.sign_in(olga, PASSWORD)
    assert visitor.post(f"/dashboard/warmup/{domain}/pause", reason=reason).status == 303
    card = relay.cli("status", domain).out
    assert re.search("paused: (.*)", card)[1].removeprefix("]0;owned ") == "look"
    assert card.replace("\n", "").isprintable()


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("to", ",".join(f"{'é ' * 40}<r{n}@example.org>" for n in range(900))),
        ("subject", "é" * 501),
        ("text", "x" * 20_001),
    ],
)
def test_a_test_message_too_long_to_be_composed_in_the_loop_is_refused(
    web, olga, domain, field, text
):
    """The first one held up the API and all pages for more than a minute."""
    visitor = Visitor(web.port)
    visitor.sign_in(olga, PASSWORD)
    form = {"domain": domain, "local": "test", "to": "a@example.org", "subject": "s", "text": "t"}
    begun = time.monotonic()
    answer = visitor.post("/dashboard/send-test", **form | {field: text})
    assert (answer.status, f"{field}: more than" in answer.text) == (422, True)
    assert time.monotonic() - begun < 10
    lines = "\r\n".join(["x" * 99] * 200)
    assert visitor.post("/dashboard/send-test", **form | {"text": lines}).status == 200


def test_a_form_with_the_token_of_another_session_does_nothing(web, relay, olga, domain):
    mine, theirs = Visitor(web.port), Visitor(web.port)
    mine.sign_in(olga, PASSWORD)
    theirs.sign_in(olga, PASSWORD)
    stolen = theirs.csrf
    assert stolen
    assert stolen != mine.csrf, "even of the same user"
    path = f"/dashboard/warmup/{domain}/pause"
    assert mine._ask("POST", path, {"csrf": stolen}).status == 403
    assert relay.status(domain)["state"] == "pending"
    assert mine.post(path).status == 303


def test_in_a_policy_directory_that_is_read_only_the_editor_only_tries_things_out(
    web, relay, olga, operator
):
    folder = relay.home / "policies"
    before = (folder / "ramp.yaml").read_text()
    other = WebProcess(relay, wrapper=WITHOUT_OVERRIDE if os.getuid() == 0 else ())
    folder.chmod(0o555)
    try:
        other.start()
        visitor = Visitor(other.port)
        visitor.sign_in(olga, PASSWORD)
        page = visitor.get("/dashboard/policies/ramp/edit").text
        assert "No policy directory of the config may be written to" in page
        assert ">Save<" not in page
        edited = before.replace("cap: 5\n", "cap: 6\n")
        assert edited != before
        found = visitor.post("/dashboard/policies/ramp/check", text=edited)
        assert "5 → <b>6</b>" in found.text
        digest = page.partition('name="digest" value="')[2].partition('"')[0]
        saved = visitor.post("/dashboard/policies/ramp/save", text=edited, digest=digest)
        assert (saved.status, "may be written to" in saved.text) == (409, True)
    finally:
        other.end()
        folder.chmod(0o755)
    assert (folder / "ramp.yaml").read_text() == before
    assert list(folder.glob("*.bak")) == []
    assert actions(web, operator, "policy ramp") == [], "nothing was done, nothing is noted"


def test_a_path_with_a_last_slash_is_the_page_and_leads_to_no_other_host(web, olga, domain):
    browser = Visitor(web.port)
    assert "next=%2Fdashboard" in browser.get("/dashboard/").headers["location"]
    assert browser.sign_in(olga, PASSWORD).status == 303
    assert browser.get("/dashboard/").headers["location"] == "/dashboard/warmup"
    for path in ("/dashboard/warmup", f"/dashboard/warmup/{domain}"):
        page, same = browser.get(path), browser.get(f"{path}/")
        titles = [re.findall("<h1[^>]*>.*</h1>", each.text) for each in (page, same)]
        assert (page.status, same.status) == (200, 200)
        assert titles[0] == titles[1] != []
    assert browser.get("/dashboard/nothing/").status == 404
