"""Saving a policy where the store fails in the midst of it: the page says what happened."""

from __future__ import annotations

import redis

from tests.conftest import MakeRelay, MakeStore
from tests.harness.relay_config import calendar
from tests.harness.visitor import Visitor
from tests.harness.web_process import WebProcess

PASSWORD = "correct horse battery staple"


def test_the_page_says_whether_the_file_was_written(
    make_relay: MakeRelay, make_store: MakeStore
) -> None:
    store = make_store()
    relay = make_relay(api=True, store=store.url, policies={"ramp": calendar(5, 10)})
    relay.start()
    assert relay.cli("user", "add", "olga", "--operator", stdin=f"{PASSWORD}\n").exit == 0
    olga = Visitor(relay.config.web_port)
    assert olga.sign_in("olga", PASSWORD).status == 303
    file = relay.home / "policies" / "ramp.yaml"
    admin = redis.Redis.from_url(store.url)

    def save(old: str, new: str, *, without: str):
        """Save an edit, while the store refuses the command `without`."""
        page = olga.get("/dashboard/policies/ramp/edit").text
        digest = page.partition('name="digest" value="')[2].partition('"')[0]
        text = file.read_text().replace(old, new)
        admin.execute_command("ACL", "SETUSER", "default", f"-{without}")
        try:
            return olga.post("/dashboard/policies/ramp/save", text=text, digest=digest)
        finally:
            admin.execute_command("ACL", "SETUSER", "default", f"+{without}")

    before = file.read_text()
    away = save("cap: 5\n", "cap: 6\n", without="zadd")
    assert (away.status, "Not saved: the store does not answer" in away.text) == (503, True)
    assert "cap: 6" in away.text, "what was typed is kept"
    assert file.read_text() == before

    unnoted = save("cap: 5\n", "cap: 7\n", without="zrem")
    assert (unnoted.status, "Saved: the file is written" in unnoted.text) == (503, True)
    assert "cap: 7\n" in file.read_text()
    again = save("cap: 7\n", "cap: 8\n", without="lastsave")
    assert again.status == 303
    assert "cap: 8\n" in file.read_text()

    faulty = save("cap: 8\n", "cap: -1\n", without="zrem")
    assert (faulty.status, "Not saved: there are faults in it" in faulty.text) == (409, True)
    web = WebProcess(relay, relay.config.web_port)
    operator = web.make_token("operator", tenant=None)
    log = web.get("/api/audit?subject=policy%20ramp", token=operator).json["data"]
    assert [each["outcome"] for each in log] == ["open", "done", "open"]
