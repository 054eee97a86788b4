"""One `serve`: SMTP, the API, and /metrics on one address; the web process is its child."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.harness.clients import send_smtplib
from tests.harness.relay_config import DOMAIN, RelayConfig, calendar
from tests.harness.relay_process import RelayProcess
from tests.harness.waiting import until
from tests.harness.web_process import WebProcess


def web_pids(relay: RelayProcess) -> list[int]:
    """The web processes whose parent is `relay`."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue
        if b"front" in words and int(parent) == relay.child.pid:
            found.append(int(entry.name))
    return found


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def api_of(relay: RelayProcess, *scopes: str) -> WebProcess:
    """A client of the API that `relay` serves."""
    client = WebProcess(relay, relay.config.web_port)
    client.token = client.make_token(*(scopes or ("read", "send", "manage")))
    return client


def mail(subject: str, domain: str = DOMAIN) -> dict[str, object]:
    return {"from": f"a@{domain}", "to": ["b@other.example"], "subject": subject, "text": "hi"}


def forwarded(relay: RelayProcess) -> float:
    return relay.metric("relay_messages_total", tenant="acme", domain=DOMAIN, outcome="forwarded")


TWO = pytest.param(2, id="two workers")
SLOW_TWO = pytest.param(2, id="two workers", marks=pytest.mark.slow)
as_quickly = pytest.mark.parametrize(
    "relay", [pytest.param(1, id="one process"), TWO], indirect=True
)
"""What several workers do in another way than one is tried with both in `make test` too."""


@pytest.fixture(params=[pytest.param(1, id="one process"), SLOW_TWO])
def relay(request, make_relay):
    made = make_relay(api=True, policies={"ramp": calendar(50)}, more={"workers": request.param})
    return made.start()


@as_quickly
def test_api_metrics_and_readiness_are_on_one_address_and_api_mail_is_counted(relay):
    api = api_of(relay)
    assert api.get("/readyz", token="").json["checks"]["upstream outbound"] == "ok"
    assert api.get("/healthz", token="").status == 200
    assert api.post("/api/emails", mail("one")).status == 200
    batch = api.post("/api/emails/batch", [mail("two"), mail("three")])
    assert batch.status == 200
    assert send_smtplib(relay.port, f"a@{DOMAIN}", "b@other.example").code == 250
    until(lambda: forwarded(relay) == 4, "four messages to be counted", timeout_s=10)
    status = api.get(f"/api/warmup/status/{DOMAIN}").json
    assert status["emails_sent_today"] == 4
    text = api.get("/metrics", token="").body.decode()
    assert len(re.findall(r"^# TYPE relay_messages_total ", text, re.MULTILINE)) == 1
    assert 'relay_stage_seconds_count{stage="forward"} 4.0' in text


def test_a_killed_web_process_comes_back_and_smtp_does_not_notice(relay):
    api = api_of(relay)
    assert api.post("/api/emails", mail("before")).status == 200
    [pid] = web_pids(relay)
    os.kill(pid, signal.SIGKILL)
    assert send_smtplib(relay.port, f"a@{DOMAIN}", "b@other.example").code == 250
    answer = api.post("/api/emails", mail("after"))  # waits; is refused where that takes long
    if answer.status != 200:
        assert (answer.status, answer.headers["retry-after"]) == (503, "10")
        until(lambda: api.post("/api/emails", mail("after")).status == 200, "it", timeout_s=30)
    assert web_pids(relay) not in ([], [pid])
    assert forwarded(relay) == 3  # nothing that the dead one had counted is lost


def timed(relay: RelayProcess, path: str) -> tuple[int, float]:
    """Status and seconds of a GET, which may take as long as a scraper waits and some more."""
    since = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", relay.config.web_port, timeout=20)
    connection.request("GET", path)
    status = connection.getresponse().status
    connection.close()
    return status, time.monotonic() - since


def timed_at_last(relay: RelayProcess, path: str) -> tuple[int, float]:
    """As `timed`, asked again where who had been asked was killed before the answer."""
    for _ in range(20):
        with suppress(ConnectionResetError):
            return timed(relay, path)
    raise AssertionError(f"never answered: {path}")


def test_a_web_process_that_hangs_keeps_nobody_from_metrics_and_readiness(relay):
    api = api_of(relay)
    [pid] = web_pids(relay)
    os.kill(pid, signal.SIGSTOP)
    try:
        status, took_s = timed(relay, "/metrics")  # was asked at the worst moment
        assert (status, took_s < 10) == (200, True), took_s
        for path in ("/metrics", "/readyz", "/healthz"):
            status, took_s = timed(relay, path)
            assert (status, took_s < 3) == (200, True), (path, took_s)
        assert relay.http("/readyz").body.count('"web": "no answer"') == 1
        refused = api.get("/api/warmup")
        assert (refused.status, refused.headers["retry-after"]) == (503, "10")
        assert send_smtplib(relay.port, f"a@{DOMAIN}", "b@other.example").code == 250
    finally:
        os.kill(pid, signal.SIGCONT)
    until(lambda: api.get("/api/warmup").status == 200, "the web process", timeout_s=15)
    assert web_pids(relay) == [pid]


def test_a_web_process_that_dies_again_and_again_does_neither(make_relay):
    relay = make_relay(api=True)
    relay.launch()  # `start` waits until its web process answers; this one is to have none yet
    until(lambda: relay.http("/readyz").status == 200, "the relay", timeout_s=45)
    stop = threading.Event()

    def kill() -> None:
        while not stop.wait(0.05):
            for pid in web_pids(relay):
                os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    try:
        for path in ("/readyz", "/metrics", "/readyz"):
            status, took_s = timed_at_last(relay, path)
            assert (status, took_s < 10) == (200, True), (path, took_s)
    finally:
        stop.set()
        killer.join(10)
    api = api_of(relay)
    until(lambda: api.get("/api/warmup").status == 200, "the web process", timeout_s=30)


@as_quickly
def test_a_killed_relay_takes_its_web_process_along(relay):
    [pid] = web_pids(relay)
    relay.kill9()
    until(lambda: is_gone(pid), "the web process to end", timeout_s=10)


def said(relay: RelayProcess) -> list[str]:
    return [line["event"] for line in relay.log_lines()]


@as_quickly
def test_it_ends_in_order_when_the_relay_is_asked_to(relay):
    until(lambda: "serving the web" in said(relay), "the web process", timeout_s=30)
    [pid] = web_pids(relay)
    assert relay.sigterm() == 0
    assert is_gone(pid)
    events = [(line.get("process"), line["event"]) for line in relay.log_lines()]
    assert events.index(("web", "web stopped")) < events.index((None, "stopped"))


def test_a_reload_reaches_it(relay):
    api = api_of(relay)
    assert api.get("/api/warmup/status/new.acme.example").status == 404
    relay.config.domains["new.acme.example"] = "ramp"
    relay.config.write(relay.home)
    relay.hang_up()
    path = "/api/warmup/status/new.acme.example"
    until(lambda: api.get(path).status == 200, "the new domain in the API", timeout_s=10)


def test_a_data_dir_too_long_for_a_socket_will_do(tmp_path, endings):
    home = tmp_path / ("long" * 30)
    relay = RelayProcess(home, RelayConfig(api=True))
    endings.callback(relay.end)
    relay.start()
    assert api_of(relay).get("/api/warmup").status == 200
    assert relay.http("/readyz").status == 200
    assert relay.sigterm() == 0


def test_without_the_api_there_is_no_such_process(make_relay):
    relay = make_relay().start()
    assert web_pids(relay) == []
    assert relay.http("/api/warmup").status == 404


def test_it_has_the_clock_of_the_relay(make_relay):
    relay = make_relay(api=True, policies={"ramp": calendar(1)})
    relay.start()
    api = api_of(relay)
    assert api.post("/api/emails", mail("one")).status == 200
    assert api.post("/api/emails", mail("two")).status == 429
    relay.clock.move(days=1)
    until(
        lambda: api.get(f"/api/warmup/status/{DOMAIN}").json["remaining_today"] == 1,
        "the next day", timeout_s=10,
    )  # fmt: skip
    assert json.loads(api.get("/readyz", token="").body)["simulated_clock"]
