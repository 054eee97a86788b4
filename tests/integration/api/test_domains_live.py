"""A domain added over the API: from POST to signed mail on every worker and node, and back."""

from __future__ import annotations

import json

import dkim
import pytest

from tests.conftest import MakeRelay, MakeStore
from tests.harness.added import LISTENERS, TENANT, add, heard, send, verify, wait_a_second
from tests.harness.arrived import arrived
from tests.harness.dns import DnsThread
from tests.harness.ports import is_listening
from tests.harness.relay_config import DOMAIN, calendar
from tests.harness.relay_process import RelayProcess
from tests.harness.visitor import Visitor
from tests.harness.waiting import until
from tests.harness.web_process import WebProcess

NEW = "new.acme.example"
PASSWORD = "correct horse battery staple"


def options(dns: DnsThread, **more) -> dict:
    settings = {"nameservers": [dns.address], **more}
    return {
        "api": True,
        "listeners": LISTENERS,
        "tenant": TENANT,
        "policies": {"ramp": calendar(100)},
        "more": settings,
    }


def api_of(relay: RelayProcess) -> WebProcess:
    client = WebProcess(relay, relay.config.web_port)
    client.token = client.make_token("read", "send", "manage")
    return client


def _signed(message: bytes, dns: DnsThread) -> list[bool]:
    return [dkim.DKIM(message).verify(idx=at, dnsfunc=dns.look_up) for at in range(2)]


@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_a_domain_sends_once_verified_and_no_more_once_removed(
    make_relay: MakeRelay, dns: DnsThread, workers: int
) -> None:
    relay = make_relay(**options(dns))
    relay.options = ("--workers", str(workers))
    relay.start()
    web = api_of(relay)

    assert heard([relay.port], NEW, 4) == {550: 4}
    domain = add(web, NEW)
    assert (domain["state"], domain["source"]) == ("pending", "api")
    wait_a_second()
    code, text = send(relay.port, NEW)
    assert (code, "is not verified yet" in text) == (550, True)
    unpublished = web.post(f"/api/domains/{NEW}/verify")
    assert (unpublished.status, "has no TXT record" in unpublished.json["detail"]) == (409, True)

    done = verify(web, dns, domain)
    assert (done.status, done.json["state"]) == (200, "active")
    wait_a_second()
    assert heard([relay.port], NEW, 12) == {250: 12}
    newest = arrived(relay.home / "outbound")[-1]
    assert _signed(newest, dns) == [True, True]
    status = relay.status(NEW)
    assert (status["emails_sent_today"], status["tenant"]) == (12, "acme")
    assert web.get(f"/api/warmup/status/{NEW}").json["emails_sent_today"] == 12
    assert relay.metric("relay_lifetime_sends", domain=NEW) == 12
    assert relay.metric("relay_domains") == 2

    assert web.ask("DELETE", f"/api/domains/{NEW}").status == 200
    wait_a_second()
    assert heard([relay.port], NEW, 12) == {550: 12}
    assert heard([relay.port], DOMAIN, 2) == {250: 2}
    verify(web, dns, add(web, NEW))
    wait_a_second()
    assert web.get(f"/api/warmup/status/{NEW}").json["lifetime_sends"] == 12, "the counts stayed"
    until(lambda: "PRIVATE KEY" not in relay.log_tail(), "no key in the log")


@pytest.mark.slow
def test_a_domain_is_there_on_every_node_and_after_a_restart(
    make_relay: MakeRelay, make_store: MakeStore, dns: DnsThread, tmp_path
) -> None:
    secret = tmp_path / "sealing.key"
    secret.touch(mode=0o600)
    secret.write_text("k" * 44)
    more = {"secrets": {"key_file": str(secret)}}
    store = make_store()
    relays = [make_relay(name=n, store=store.url, **options(dns, **more)) for n in ("one", "two")]
    for relay in relays:
        relay.start()
    web, ports = api_of(relays[0]), [relay.port for relay in relays]

    verify(web, dns, add(web, NEW))
    wait_a_second()
    assert heard(ports, NEW, 4) == {250: 8}
    assert _signed(arrived(relays[1].home / "outbound")[-1], dns) == [True, True]
    other = WebProcess(relays[1], relays[1].config.web_port, token=web.token)
    assert other.get(f"/api/domains/{NEW}").json["state"] == "active"

    assert relays[1].sigterm() == 0
    relays[1].restart()
    assert heard([ports[1]], NEW, 2) == {250: 2}
    assert other.ask("DELETE", f"/api/domains/{NEW}").status == 200
    wait_a_second()
    assert heard(ports, NEW, 4) == {550: 8}


def test_a_store_that_is_away_at_the_start_makes_nobody_bounce(
    make_relay: MakeRelay, make_store: MakeStore, dns: DnsThread
) -> None:
    store = make_store()
    relay = make_relay(store=store.url, **(options(dns) | {"api": False}))
    store.kill()
    relay.launch()
    until(lambda: is_listening(relay.port), "the relay", timeout_s=30, detail=relay.log_tail)

    assert heard([relay.port], NEW, 2) == {451: 2}
    store.start()
    until(lambda: send(relay.port, NEW)[0] == 550, "the store to be read")


def test_a_relay_keeps_its_domains_while_the_store_is_away(
    make_relay: MakeRelay, make_store: MakeStore, dns: DnsThread, tmp_path
) -> None:
    secret = tmp_path / "sealing.key"
    secret.touch(mode=0o600)
    secret.write_text("k" * 44)
    store = make_store()
    relay = make_relay(store=store.url, **options(dns, secrets={"key_file": str(secret)}))
    relay.start()
    web = api_of(relay)
    verify(web, dns, add(web, NEW))
    assert heard([relay.port], NEW, 1) == {250: 1}
    store.kill()
    assert heard([relay.port], NEW, 2) == {451: 2}
    store.start()
    until(lambda: send(relay.port, NEW)[0] in {250, 550}, "the store to be back")


def test_an_external_store_without_a_secret_says_what_to_set(
    make_relay: MakeRelay, make_store: MakeStore, dns: DnsThread
) -> None:
    relay = make_relay(store=make_store().url, **options(dns)).start()
    answer = api_of(relay).post("/api/domains", {"name": NEW, "policy": "ramp"})
    assert answer.status == 409
    assert "secrets.key_file is not set" in answer.json["detail"]


def test_the_config_wins_over_what_was_added_and_says_so(
    make_relay: MakeRelay, dns: DnsThread
) -> None:
    relay = make_relay(**options(dns)).start()
    web = api_of(relay)
    verify(web, dns, add(web, NEW))
    relay.config.domains[NEW] = "ramp"
    relay.config.write(relay.home)
    until(lambda: web.get(f"/api/domains/{NEW}").json["source"] == "config", "the reload")
    refused = web.ask("DELETE", f"/api/domains/{NEW}")
    assert (refused.status, "relay.yaml" in refused.json["detail"]) == (409, True)
    assert heard([relay.port], NEW, 1) == {250: 1}
    until(
        lambda: any(
            line.get("event") == "settings.domain_left_out" and line["domain"] == NEW
            for line in relay.log_lines()
        ),
        "the word of it in the log",
    )
    del relay.config.domains[NEW]
    relay.config.write(relay.home)
    until(lambda: web.get(f"/api/domains/{NEW}").json["source"] == "api", "the reload")
    until(lambda: "DKIM" in arrived(relay.home / "outbound")[-1].decode() or
          send(relay.port, NEW)[0] != 250, "signed mail")  # fmt: skip


def test_a_policy_that_is_gone_withholds_its_domains_alone(
    make_relay: MakeRelay, dns: DnsThread
) -> None:
    relay = make_relay(**options(dns))
    relay.config.write_policy(relay.home, "short", calendar(7))
    relay.start()
    web = api_of(relay)
    verify(web, dns, add(web, NEW, policy="short"))
    assert heard([relay.port], NEW, 1) == {250: 1}
    (relay.home / "policies" / "short.yaml").unlink()
    until(lambda: web.get(f"/api/domains/{NEW}").json["state"] == "broken", "the reload")
    assert "no policy 'short'" in web.get(f"/api/domains/{NEW}").json["reason"]
    until(lambda: send(relay.port, NEW)[0] == 451, "the relay's own reload")
    assert heard([relay.port], DOMAIN, 1) == {250: 1}
    changed = web.ask("PATCH", f"/api/domains/{NEW}", {"policy": "ramp"})
    assert (changed.status, changed.json["state"]) == (200, "active")
    wait_a_second()
    assert heard([relay.port], NEW, 1) == {250: 1}


def test_the_page_of_an_approved_domain_promises_nothing_where_its_policy_is_gone(
    make_relay: MakeRelay, dns: DnsThread
) -> None:
    relay = make_relay(**options(dns))
    relay.config.write_policy(relay.home, "short", calendar(7))
    relay.start()
    web = api_of(relay)
    add(web, NEW, policy="short")
    (relay.home / "policies" / "short.yaml").unlink()
    until(lambda: web.get(f"/api/domains/{NEW}").json["state"] == "broken", "the reload")
    assert relay.cli("user", "add", "olga", "--operator", stdin=f"{PASSWORD}\n").exit == 0
    olga = Visitor(web.port)
    olga.sign_in("olga", PASSWORD)

    done = olga.post(f"/dashboard/domains/{NEW}/approve", reason="known to us")
    page = olga.get(done.headers["location"]).text
    assert '<p class="note ok" role="status">Approved.</p>' in page
    assert "there is no policy &#39;short&#39;" in page
    assert web.ask("PATCH", f"/api/domains/{NEW}", {"policy": "ramp"}).json["state"] == "active"
    assert "Approved. Mail from it is taken now." in olga.get(done.headers["location"]).text


@pytest.mark.slow
def test_a_backup_holds_the_domains_and_no_key_in_clear(
    make_relay: MakeRelay, dns: DnsThread, tmp_path
) -> None:
    relay = make_relay(**options(dns)).start()
    web = api_of(relay)
    verify(web, dns, add(web, NEW))
    file = tmp_path / "state.jsonl"
    assert relay.cli("backup", str(file)).exit == 0
    assert "PRIVATE" not in file.read_text()
    held = [json.loads(line) for line in file.read_text().splitlines()]
    [domains] = [each for each in held if each.get("key") == "wr1:{@web}:domains"]
    assert NEW in domains["value"]
    assert (relay.home / "var" / "sealing.key").stat().st_mode & 0o777 == 0o600

    assert web.ask("DELETE", f"/api/domains/{NEW}").status == 200
    assert relay.cli("restore", str(file), "--replace").exit == 0
    until(lambda: send(relay.port, NEW)[0] == 250, "the domain of the backup")
    assert _signed(arrived(relay.home / "outbound")[-1], dns) == [True, True]
