"""Mail over HTTP to an upstream that is slow, says no, or says nothing: who hears what."""

from __future__ import annotations

import socket
import time

import pytest

from tests.harness.relay_config import RelayConfig
from tests.harness.relay_process import RelayProcess
from tests.harness.smtp_script import close, late, refuse
from tests.harness.upstream import SinkThread
from tests.harness.waiting import until
from tests.harness.web_process import WebProcess

DOMAINS = [f"d{number}.acme.example" for number in range(8)]
"""One for each test, so that none sees what another has sent."""


@pytest.fixture(scope="module")
def sink():
    made = SinkThread()
    yield made
    made.end()


@pytest.fixture(scope="module")
def web(sink, tmp_path_factory):
    """One relay and one API for all: starting both takes longer than what is asked of them."""
    config = RelayConfig(upstream=sink.url, domains=dict.fromkeys(DOMAINS, "ramp"))
    relay = RelayProcess(tmp_path_factory.mktemp("upstream"), config)
    made = WebProcess(relay)
    try:
        relay.start()
        made.start()
        made.token = made.make_token("read", "send")
        yield made
    finally:
        made.end()
        relay.end()


@pytest.fixture(scope="module")
def domains():
    return iter(DOMAINS)


@pytest.fixture
def domain(domains):
    return next(domains)


@pytest.fixture
def taken(sink):
    """How many messages the upstream has taken since the test began."""
    before = len(sink.contents())
    return lambda: len(sink.contents()) - before


@pytest.fixture
def email(domain):
    return {"from": f"a@{domain}", "to": "b@rcpt.example", "subject": "s", "text": "t"}


@pytest.fixture
def status(web, domain):
    return lambda: web.get(f"/api/warmup/status/{domain}").json


def hang_up_after(web, text, seconds):
    """Hand `text` in, and go away without waiting for the answer."""
    head = (
        f"POST /api/emails HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {web.token}\r\n"
        f"Content-Type: message/rfc822\r\nContent-Length: {len(text)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", web.port), timeout=10) as client:
        client.sendall(head.encode() + text)
        time.sleep(seconds)


def test_one_who_hung_up_and_tries_again_has_sent_one_mail(web, sink, taken, status, domain):
    text = f"From: a@{domain}\r\nTo: b@rcpt.example\r\nMessage-ID: <1@x>\r\n\r\nhi\r\n".encode()
    sink.once("DOT", late(1.5))
    hang_up_after(web, text, 0.7)
    until(lambda: status()["lifetime_sends"] == 1, "the upstream to have it")
    again = web.post("/api/emails", text, content_type="message/rfc822")
    assert (again.status, again.json["duplicate"]) == (200, True), again
    assert taken() == 1
    # Its client has heard now: the same again is another mail.
    other = web.post("/api/emails", text, content_type="message/rfc822")
    assert (other.status, other.json["duplicate"], taken()) == (200, False, 2)
    assert status()["emails_sent_today"] == 2


def test_what_the_upstream_says_is_what_the_client_hears(web, sink, email, status):
    sink.once("DOT", refuse("554 5.7.1 looks like spam"))
    answer = web.post("/api/emails", email)
    assert answer.status == 422
    assert "554 5.7.1 looks like spam" in answer.json["detail"]
    sink.once("DOT", refuse("451 4.2.0 come back"))
    later = web.post("/api/emails", email)
    assert (later.status, later.headers["retry-after"]) == (503, "30")
    assert "451 4.2.0 come back" in later.json["detail"]
    told = status()
    assert (told["emails_sent_today"], told["reserved_now"], told["state"]) == (0, 0, "pending")


def test_one_message_of_a_batch_that_is_refused_does_not_keep_the_others(
    web, sink, taken, email, status
):
    sink.once("DOT", refuse("550 5.7.1 no"))
    answer = web.post("/api/emails/batch", [email] * 3)
    assert answer.status == 207, answer
    errors = [item["error"] for item in answer.json["data"]]
    [refused] = [error for error in errors if error]
    assert (refused["status"], "550 5.7.1 no" in refused["detail"]) == (422, True)
    assert taken() == 2
    told = status()
    assert (told["emails_sent_today"], told["reserved_now"]) == (2, 0)
    assert told["lifetime_sends"] == 2


def test_a_batch_of_which_nothing_was_sent_may_be_tried_again_under_its_key(
    web, sink, taken, email
):
    sink.script.add("MAIL", refuse("451 4.3.0 later"))
    batch = [email] * 3
    answer = web.post("/api/emails/batch", batch, idempotency_key="all-or-none")
    assert [item["error"]["status"] for item in answer.json["data"]] == [503] * 3
    sink.script.clear()
    again = web.post("/api/emails/batch", batch, idempotency_key="all-or-none")
    assert (again.status, taken()) == (200, 3), again
    third = web.post("/api/emails/batch", batch, idempotency_key="all-or-none")
    assert (third.json, third.headers["idempotent-replayed"]) == (again.json, "true")


def test_a_batch_that_may_have_been_sent_is_not_tried_again_under_its_key(web, sink, email):
    sink.once("DOT", close())
    answer = web.post("/api/emails/batch", [email], idempotency_key="nobody-knows")
    assert answer.json["data"][0]["error"]["status"] == 502
    again = web.post("/api/emails/batch", [email], idempotency_key="nobody-knows")
    assert again.headers["idempotent-replayed"] == "true"


def test_an_outcome_that_nobody_knows_is_charged_and_not_tried_again_under_its_key(
    web, sink, email, status
):
    sink.once("DOT", close())
    answer = web.post("/api/emails", email, idempotency_key="k")
    assert (answer.status, answer.json["title"]) == (502, "Outcome Unknown"), answer
    again = web.post("/api/emails", email, idempotency_key="k")
    assert (again.status, again.headers["idempotent-replayed"]) == (502, "true")
    told = status()
    assert (told["emails_sent_today"], told["lifetime_sends"]) == (1, 0)


def test_a_stop_waits_for_what_is_under_way(web, sink, taken, domain, endings):
    own = WebProcess(web.relay, token=web.token)
    endings.callback(own.end)
    own.start()
    sink.once("DOT", late(1.5))
    text = f"From: a@{domain}\r\nTo: b@rcpt.example\r\n\r\nhi\r\n".encode()
    hang_up_after(own, text, 0.5)
    assert own.child.terminate(20) == 0
    assert taken() == 1
    told = web.relay.status(domain)
    assert (told["emails_sent_today"], told["lifetime_sends"], told["reserved_now"]) == (1, 1, 0)


def test_the_store_gone_is_503_and_nothing_is_sent(web, taken, email):
    web.relay.kill9()
    until(lambda: web.get("/api/warmup").status == 503, "the store to be gone")
    for answer in (web.post("/api/emails", email), web.get("/api/audit")):
        assert (answer.status, answer.headers["content-type"]) == (503, "application/problem+json")
        assert answer.headers["retry-after"]
    assert taken() == 0
    web.relay.restart()
    until(lambda: web.post("/api/emails", email).status == 200, "the store to be back")
