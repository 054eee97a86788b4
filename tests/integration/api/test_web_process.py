"""The web process itself: its bounds, its config, its start and its end."""

from __future__ import annotations

import socket
import time

import pytest

from tests.harness.ports import free_port
from tests.harness.relay_config import DOMAIN, RelayConfig
from tests.harness.relay_process import RelayProcess, run_command
from tests.harness.web_process import WebProcess

ORIGIN = "https://app.example.net"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """One relay and one web process for all: starting both takes longer than what is asked."""
    port = free_port()
    section = {"address": f"127.0.0.1:{port}", "requests_per_minute": 12, "cors": [ORIGIN]}
    config = RelayConfig(web_port=port, more={"web": section})
    relay = RelayProcess(tmp_path_factory.mktemp("web"), config)
    made = WebProcess(relay)
    try:
        relay.start()
        yield made.start()
    finally:
        made.end()
        relay.end()


@pytest.fixture
def web(served):
    """With a token of the test's own, for a token may ask only so often."""
    served.token = served.make_token("read")
    return served


def test_a_token_may_ask_so_often_and_no_more(web):
    found = [web.get("/api/warmup") for _ in range(4)]
    assert [answer.status for answer in found] == [200, 200, 429, 429]
    told = found[-1]
    assert (told.headers["content-type"], told.json["name"]) == (
        "application/problem+json", "rate_limit",
    )  # fmt: skip
    wait_s = int(told.headers["retry-after"])
    assert 1 <= wait_s <= 5
    assert web.get("/api/warmup", token=web.make_token("read")).status == 200  # its own rate
    time.sleep(wait_s)
    assert web.get("/api/warmup").status == 200


def test_the_rate_of_a_token_holds_over_two_processes(web, endings):
    other = WebProcess(web.relay, token=web.make_token("read"))
    endings.callback(other.end)
    other.start()
    token = other.token
    ask = (web, other, web, other)
    assert [each.get("/api/warmup", token=token).status for each in ask] == [200, 200, 429, 429]


@pytest.mark.slow
def test_only_so_many_large_bodies_are_held_at_once(web, endings):
    tokens = [web.make_token("send") for _ in range(5)]
    head = "POST /api/emails HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n"
    head += "Expect: 100-continue\r\n"  # answered when the body is read: it is held from then on
    for n in range(8):
        client = endings.enter_context(socket.create_connection(("127.0.0.1", web.port)))
        client.sendall(f"{head}Authorization: Bearer {tokens[n // 2]}\r\n\r\n".encode())
        assert client.recv(100).startswith(b"HTTP/1.1 100 ")
        client.sendall(b"x")
    busy = web.post("/api/emails", b"x" * 2_000_000, token=tokens[4])
    assert (busy.status, busy.headers["retry-after"]) == (503, "5")
    assert web.post("/api/emails", b"{}", token=tokens[4]).status == 415  # small ones go on


def test_nobodys_body_is_read_before_the_bearer_is_known(web):
    for method in ("POST", "OPTIONS", "PUT"):
        for path in ("/api/emails", "/api/docs", "/api/warmup"):
            answer = web.ask(method, path, b"x", token="")
            assert answer.status == 401, (method, path)


def test_pages_of_the_origins_of_the_config_may_use_the_api(web):
    answer = web.get("/api/warmup", origin=ORIGIN)
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    asked = {"origin": ORIGIN, "access_control_request_method": "POST"}
    allowed = web.ask(
        "OPTIONS", "/api/emails", token="", access_control_request_headers="authorization", **asked
    )
    assert (allowed.status, allowed.headers["access-control-allow-origin"]) == (200, ORIGIN)
    other = web.get("/api/warmup", origin="https://evil.example")
    assert "access-control-allow-origin" not in other.headers


def test_an_edit_of_the_config_is_live_in_the_api(web):
    relay = web.relay
    relay.config.domains["new.acme.example"] = "ramp"
    relay.config.write(relay.home)
    for _ in range(100):
        if (answer := web.get("/healthz", token="")).status != 200:
            break
        time.sleep(0.1)
        if "settings.reloaded" in web.child.log.read_text():
            break
    assert answer.status == 200
    assert web.get("/api/warmup/status/new.acme.example").status == 200


def test_mail_through_a_web_process_of_its_own_is_in_its_own_metrics(web):
    token = web.make_token("send")
    mail = {"from": f"a@{DOMAIN}", "to": "b@other.example", "text": "hi"}
    assert web.post("/api/emails", mail, token=token).status == 200
    text = web.get("/metrics", token="").body.decode()
    counted = f'relay_messages_total{{domain="{DOMAIN}",outcome="forwarded",tenant="acme"}} 1.0'
    assert counted in text
    assert 'relay_stage_seconds_count{stage="forward"} 1.0' in text
    relay = web.relay.metric("relay_messages_total", domain=DOMAIN, outcome="forwarded")
    assert relay == 0, "counted once, so that sums over all targets are right"


@pytest.mark.slow
def test_without_a_relay_there_is_no_embedded_store_and_it_says_so(make_relay):
    relay = make_relay()
    address = f"127.0.0.1:{free_port()}"
    ran = relay.cli("web", "--address", address)
    assert ran.exit == 1
    assert "start `warmup-relay serve` first" in ran.err


def test_an_address_in_use_and_one_that_is_none_are_told(web):
    ran = web.relay.cli("web")  # the relay's own /metrics are there
    assert (ran.exit, "in use" in ran.err) == (1, True)
    assert web.relay.cli("web", "--address", "here").exit == 2
    assert run_command("web", "--config", web.relay.home / "nothing.yaml").exit == 1
