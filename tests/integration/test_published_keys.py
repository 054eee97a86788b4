"""`check` asks the DNS whether it publishes the keys that mail is signed with."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import MakeRelay
from tests.harness.dkim_keys import DkimKeys
from tests.harness.dns import DnsThread, silent, txt
from tests.harness.relay_config import DOMAIN
from tests.harness.relay_process import RelayProcess

RSA, ED25519 = (f"s{number}._domainkey.{DOMAIN}" for number in (1, 2))


def told(relay: RelayProcess, *, exits: int) -> list[tuple[str, str]]:
    """Of the first key and of the second."""
    ran = relay.cli("check", "--json")
    assert ran.exit == exits, ran
    rows = {each["part"]: each for each in ran.json["checks"]}
    found = [rows[f"published key {DOMAIN} {selector}"] for selector in ("s1", "s2")]
    assert all(each["online"] for each in found)
    assert all(each["ok"] is (each["grade"] != "problem") for each in found)
    return [(each["grade"], each["says"]) for each in found]


def test_what_is_published_is_compared_with_the_keys(
    make_relay: MakeRelay, dns: DnsThread, tmp_path: Path
) -> None:
    keys, others = DkimKeys(tmp_path, DOMAIN), DkimKeys(tmp_path / "others", DOMAIN)
    relay = make_relay(
        domains={DOMAIN: {"dkim": keys.section}}, more={"nameservers": [dns.address]}
    )
    names = dns.server.scripts
    yet = f"has no TXT record yet: `warmup-relay dns {DOMAIN}` prints it"
    assert told(relay, exits=0) == [("note", f"{RSA}. {yet}"), ("note", f"{ED25519}. {yet}")]

    names[RSA, "TXT"], names[ED25519, "TXT"] = map(txt, keys.records())
    assert told(relay, exits=0) == [("ok", f"{RSA}. has it"), ("ok", f"{ED25519}. has it")]

    names[RSA, "TXT"], names[ED25519, "TXT"] = txt(others.records()[0]), silent()
    wrong, unknown = told(relay, exits=1)
    assert wrong == (
        "problem",
        f"{RSA}.: another key is published, so that signatures do not stand",
    )
    assert unknown == ("note", "not known: the DNS did not answer within 5 s")


def test_nobody_is_asked_offline_nor_of_a_key_that_is_not_there(
    make_relay: MakeRelay, dns: DnsThread, tmp_path: Path
) -> None:
    keys = DkimKeys(tmp_path, DOMAIN)
    relay = make_relay(
        domains={DOMAIN: {"dkim": keys.section}}, more={"nameservers": [dns.address]}
    )
    assert f"  note    published key {DOMAIN} s1: {RSA}. has no TXT" in relay.cli("check").out
    asked = dns.server.questions
    assert relay.cli("check", "--offline").exit == 0
    assert dns.server.questions == asked

    dns.server.scripts[RSA, "TXT"] = txt(keys.records()[0])
    (tmp_path / f"{DOMAIN}.s1.pem").unlink()
    assert told(relay, exits=1)[0][1].startswith("not compared: ")
