"""Another secret for the keys of added domains, while the relay runs: nobody hears of it."""

from __future__ import annotations

import json

import dkim
import pytest

from tests.conftest import MakeRelay
from tests.harness.added import LISTENERS, TENANT, add, heard, verify, wait_a_second
from tests.harness.arrived import arrived
from tests.harness.relay_config import calendar
from tests.harness.web_process import WebProcess

NAMES = ("a.acme.example", "b.acme.example")


@pytest.mark.slow
def test_keys_are_sealed_anew_without_a_deferral_or_a_restart(make_relay: MakeRelay, dns) -> None:
    relay = make_relay(
        api=True, listeners=LISTENERS, tenant=TENANT, policies={"ramp": calendar(100)},
        more={"nameservers": [dns.address]},
    )  # fmt: skip
    relay.options = ("--workers", "2")
    relay.start()
    web = WebProcess(relay, relay.config.web_port)
    web.token = web.make_token("read", "send", "manage")
    for name in NAMES:
        assert verify(web, dns, add(web, name)).status == 200
    assert heard([relay.port], NAMES[0], 4) == {250: 4}

    secret = relay.home / "var" / "sealing.key"
    secret.rename(relay.home / "old.key")
    secret.touch(mode=0o600)
    secret.write_text("another secret, of more than thirty-two bytes\n")
    assert heard([relay.port], NAMES[0], 4) == {250: 4}, "between the two steps"

    ran = relay.cli("domains", "reseal", "--old", "old.key", "--reason", "it leaked", "--json")
    assert (ran.exit, ran.json) == (0, {"resealed": 2, "current": 0, "wrong": {}}), ran
    wait_a_second()
    for name in NAMES:
        assert heard([relay.port], name, 4) == {250: 4}
        mail = {"from": f"a@{name}", "to": "b@rcpt.example", "text": "t"}
        assert web.post("/api/emails", mail).status == 200
    newest = arrived(relay.home / "outbound")[-1]
    signed = [dkim.DKIM(newest).verify(idx=at, dnsfunc=dns.look_up) for at in range(2)]
    assert signed == [True, True], "with the keys that were published before"
    add(web, "c.acme.example")

    (relay.home / "old.key").unlink()
    relay.sigterm()
    relay.restart()
    assert heard([relay.port], NAMES[1], 4) == {250: 4}, "without the old secret"
    operator = web.make_token("operator", tenant=None)
    entries = web.get("/api/audit?limit=200", token=operator).json["data"]
    [entry] = [each for each in entries if each["action"] == "reseal domains"]
    assert (entry["reason"], entry["after"]["domains"]) == ("it leaked", 2)
    assert "another secret" not in json.dumps(entries)
    same = relay.cli("domains", "reseal", "--old", str(secret))
    assert (same.exit, same.out) == (0, "0 domains sealed anew; 3 were so already\n"), same
    gone = relay.cli("domains", "reseal", "--old", "old.key")
    assert (gone.exit, "old.key cannot be read" in gone.err) == (1, True), gone


def test_a_relay_that_has_not_signed_yet_knows_the_secret_before(make_relay: MakeRelay) -> None:
    relay = make_relay(listeners=LISTENERS, tenant=TENANT, policies={"ramp": calendar(100)}).start()
    adding = ("domains", "add", NAMES[0], "--tenant", "acme", "--policy", "ramp")
    assert relay.cli(*adding).exit == 0
    assert relay.cli("domains", "verify", NAMES[0], "--approve").exit == 0
    wait_a_second()
    secret = relay.home / "var" / "sealing.key"
    secret.write_text("another secret, of more than thirty-two bytes\n")
    assert heard([relay.port], NAMES[0], 2) == {250: 2}
