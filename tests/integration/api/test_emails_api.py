"""Mail over HTTP: what goes out, what is charged, what a wall says, and what is never sent twice."""

from __future__ import annotations

import gzip
import json
import smtplib
import time
from base64 import encodebytes
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from email.parser import BytesParser
from email.policy import default
from itertools import count

import pytest

_subjects = count()


def email(domain, **more):
    plain = {"from": f"News <a@{domain}>", "to": "b@rcpt.example", "text": "hello"}
    return plain | {"subject": f"mail {next(_subjects)}"} | more


def stored(relay, subject):
    """The messages of that subject in the maildir: pairs of raw bytes and parsed."""
    texts = [path.read_bytes() for path in (relay.home / "outbound" / "new").iterdir()]
    parsed = [(text, BytesParser(policy=default).parsebytes(text)) for text in texts]
    return [pair for pair in parsed if pair[1]["Subject"] == subject]


def sent_today(web, domain):
    told = web.get(f"/api/warmup/status/{domain}").json
    assert told["reserved_now"] == 0
    return told["emails_sent_today"]


def send_by_smtp(relay, domain, subject="s"):
    with smtplib.SMTP("127.0.0.1", relay.port, timeout=20) as client:
        text = f"From: a@{domain}\r\nTo: b@rcpt.example\r\nSubject: {subject}\r\n\r\nhi\r\n"
        client.sendmail(f"a@{domain}", ["b@rcpt.example"], text)


def test_an_email_goes_out_as_it_was_described(web, relay, domain):
    wanted = email(
        domain,
        to=["Bö B <b@rcpt.example>", "c@rcpt.example"],
        cc="d@rcpt.example",
        bcc=["secret@rcpt.example"],
        reply_to="r@rcpt.example",
        subject="Grüße aus dem API",
        html="<p>hällo</p>",
        headers={"X-Campaign": "spring", "List-Unsubscribe": "<https://a.example/u>"},
        attachments=[{"filename": "ä.bin", "content": encodebytes(b"\x00\xff\r\n" * 40).decode()}],
    )
    wanted["class"] = "transactional"
    answer = web.post("/api/emails", wanted)
    assert answer.status == 200, answer
    [(raw, message)] = stored(relay, "Grüße aus dem API")
    assert answer.json["id"] in message["Message-ID"]
    assert (message["From"], message["Cc"]) == (f"News <a@{domain}>", "d@rcpt.example")
    assert message["To"].addresses[0].display_name == "Bö B"
    assert (message["Reply-To"], message["X-Campaign"]) == ("r@rcpt.example", "spring")
    assert message.get_body(("plain",)).get_content().strip() == "hello"
    assert "hällo" in message.get_body(("html",)).get_content()
    [attached] = message.iter_attachments()
    assert (attached.get_filename(), attached.get_content()) == ("ä.bin", b"\x00\xff\r\n" * 40)
    envelope = message.get_all("X-Envelope-To")
    assert envelope == [f"{name}@rcpt.example" for name in ("b", "c", "d", "secret")]
    body = raw.partition(b"X-Envelope-To: secret@rcpt.example")[2]
    assert b"secret@" not in body
    assert b"X-Warmup-Class" not in body
    assert body.isascii()
    assert sent_today(web, domain) == 4


def test_an_attachment_keeps_the_parameters_of_its_type(web, relay, domain):
    kinds = {
        "a.csv": "text/csv; charset=utf-8",
        "b.ics": 'text/calendar;method=REQUEST; name="our party; tonight"',
        "c.eml": "message/rfc822; charset=utf-8",
    }
    files = [{"filename": n, "content": "eA==", "content_type": k} for n, k in kinds.items()]
    subject = f"files {next(_subjects)}"
    assert web.post("/api/emails", email(domain, subject=subject, attachments=files)).status == 200
    [(_, message)] = stored(relay, subject)
    assert [dict(each.get_params()) for each in message.iter_attachments()] == [
        {"text/csv": "", "charset": "utf-8"},
        {"text/calendar": "", "method": "REQUEST", "name": "our party; tonight"},
        {"application/octet-stream": ""},
    ]
    for bad in ("text/plain;", "text/plain; a", 'text/plain; a="b', "text/plain; a=b\r\nX: y"):
        files[0]["content_type"] = bad
        assert web.post("/api/emails", email(domain, attachments=files)).status == 422


def test_a_raw_message_goes_out_byte_for_byte(web, relay, domain):
    subject = f"raw {next(_subjects)}"
    text = (
        f"From: a@{domain}\nTo: b@rcpt.example\nCc: c@rcpt.example\nSubject: {subject}\n\nhi\n.\n"
    )
    answer = web.post("/api/emails", text.encode(), content_type="message/rfc822")
    assert answer.status == 200, answer
    [(raw, message)] = stored(relay, subject)
    assert raw.replace(b"\r\n", b"\n").endswith(text.encode())
    assert message.get_all("X-Envelope-To") == ["b@rcpt.example", "c@rcpt.example"]
    path = "/api/emails?to=x@rcpt.example"
    assert web.post(path, text.encode(), content_type="message/rfc822").status == 200
    assert stored(relay, subject)[1][1].get_all("X-Envelope-To") in (
        ["x@rcpt.example"],
        ["b@rcpt.example", "c@rcpt.example"],
    )
    assert sent_today(web, domain) == 3


def test_at_the_cap_the_answer_is_that_of_the_design_and_smtp_hears_the_same(web, relay, domain):
    for _ in range(4):
        assert web.post("/api/emails", email(domain)).status == 200
    send_by_smtp(relay, domain)
    asked_at = relay.clock.now()
    answer = web.post("/api/emails", email(domain))
    assert answer.status == 429
    told = answer.json
    assert list(told) == [
        "name", "message", "domain", "daily_limit", "emails_sent_today", "warmup_day",
        "warmup_ends_at",
    ]  # fmt: skip
    assert (told["name"], told["domain"]) == ("warmup_limit", domain)
    assert (told["daily_limit"], told["emails_sent_today"], told["warmup_day"]) == (5, 5, 0)
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        send_by_smtp(relay, domain)
    assert told["message"].encode() in refused.value.recipients["b@rcpt.example"][1]
    resets = datetime.fromisoformat(web.get(f"/api/warmup/status/{domain}").json["resets_at"])
    late_s = int(answer.headers["retry-after"]) - (resets - asked_at).total_seconds()
    assert -5 < late_s < 605  # the spread of the retries is ten minutes
    assert sent_today(web, domain) == 5


def test_senders_at_once_never_pass_the_cap(web, relay, domain):
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda _: web.post("/api/emails", email(domain)).status, range(16)))
    assert sorted(found) == [200] * 5 + [429] * 11
    assert sent_today(web, domain) == 5


# Batches.


def test_a_batch_is_charged_message_by_message(web, relay, domain):
    batch = [email(domain, subject=f"batch {domain} {n}") for n in range(3)]
    batch[1]["to"] = ["b@rcpt.example", "c@rcpt.example"]
    answer = web.post("/api/emails/batch", batch)
    assert answer.status == 200, answer
    assert [item["error"] for item in answer.json["data"]] == [None] * 3
    for n, item in enumerate(answer.json["data"]):
        [(_, message)] = stored(relay, f"batch {domain} {n}")
        assert item["id"] in message["Message-ID"]
    assert sent_today(web, domain) == 4


def test_a_batch_that_does_not_fit_is_refused_whole(web, relay, domain):
    web.post("/api/emails", email(domain))
    answer = web.post("/api/emails/batch", [email(domain, subject=f"b {domain}")] * 5)
    assert (answer.status, answer.json["name"]) == (429, "warmup_limit")
    assert int(answer.headers["retry-after"]) > 0
    assert stored(relay, f"b {domain}") == []
    assert sent_today(web, domain) == 1
    assert web.post("/api/emails/batch", [email(domain)] * 4).status == 200
    assert sent_today(web, domain) == 5


def test_a_batch_of_two_domains_is_refused_whole_too(web, relay, domain):
    full = "d59.acme.example"
    assert web.post("/api/emails/batch", [email(full)] * 5).status == 200
    answer = web.post("/api/emails/batch", [email(domain), email(full), email(domain)])
    assert (answer.status, answer.json["domain"]) == (429, full)
    assert sent_today(web, domain) == 0


def test_batches_at_once_share_the_cap_exactly(web, domain):
    with ThreadPoolExecutor(4) as pool:
        found = list(
            pool.map(lambda _: web.post("/api/emails/batch", [email(domain)] * 2).status, range(6))
        )
    assert sorted(found) == [200, 200, 429, 429, 429, 429]
    assert sent_today(web, domain) == 4


def test_a_batch_with_one_bad_message_sends_none_and_names_it(web, relay, domain):
    for bad, status in (
        (email("globex.example"), 403),
        (email(domain, to="nobody"), 422),
        (email(domain, to=[]), 422),
        (email(domain, attachments=[{"filename": "a", "content": "!"}]), 422),
    ):
        answer = web.post("/api/emails/batch", [email(domain, subject=f"c {domain}"), bad])
        assert (answer.status, answer.json["index"]) == (status, 1)
        assert answer.json["detail"].startswith("message 1: ")
    for bad in ({"from": f"a@{domain}"}, email(domain, to="x"), email(domain, subject=5), 7):
        answer = web.post("/api/emails/batch", [email(domain, subject=f"c {domain}"), bad])
        assert (answer.status, answer.json["index"]) == (422, 1)
    assert stored(relay, f"c {domain}") == []
    assert web.post("/api/emails/batch", []).status == 422
    assert web.post("/api/emails/batch", [email(domain)] * 101).status == 422
    assert sent_today(web, domain) == 0


# Never twice.


def test_a_key_sends_once_however_often_it_is_asked(web, relay, domain):
    wanted = email(domain)
    with ThreadPoolExecutor(5) as pool:
        found = list(
            pool.map(
                lambda _: web.post("/api/emails", wanted, idempotency_key=domain).status, range(5)
            )
        )
    assert set(found) <= {200, 409}
    assert 200 in found
    again = web.post("/api/emails", wanted, idempotency_key=domain)
    assert (again.status, again.headers["idempotent-replayed"]) == (200, "true")
    assert len(stored(relay, wanted["subject"])) == 1
    assert sent_today(web, domain) == 1


def test_a_key_that_met_the_cap_may_be_used_again(web, domain):
    web.post("/api/emails/batch", [email(domain)] * 5)
    wanted = email(domain)
    assert web.post("/api/emails", wanted, idempotency_key=f"x{domain}").status == 429
    web.post(f"/api/warmup/graduate/{domain}")
    assert web.post("/api/emails", wanted, idempotency_key=f"x{domain}").status == 200


# What is wrong.


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"to": []}, "no recipient"),
        ({"to": "nobody"}, "is not user@domain"),
        ({"to": 5}, "to: Input should be a valid array"),
        ({"to": "a@b@c.example"}, "is not user@domain"),
        ({"to": "a b@c.example"}, "is not user@domain"),
        ({"to": ["x@rcpt.example\r\nBcc: y@rcpt.example"]}, "not"),
        ({"subject": "a\r\nBcc: y@rcpt.example"}, "control character"),
        ({"headers": {"X-A": "b\nC: d"}}, "control character"),
        ({"headers": {"From": "x@y.example"}}, "cannot be set here"),
        ({"headers": {"Content-Type": "x"}}, "cannot be set here"),
        ({"headers": {"A b": "x"}}, "cannot be set here"),
        ({"attachments": [{"filename": "a", "content": "***"}]}, "no base64"),
        ({"class": "bulk"}, "class"),
        ({"color": "red"}, "color"),
        ({"text": "\ud800"}, ""),
    ],
)
def test_an_email_that_is_wrong_is_told_so_and_charges_nothing(web, domain, change, says):
    answer = web.post("/api/emails", email(domain) | change)
    assert answer.status == 422, answer
    assert says in answer.json["detail"]
    assert sent_today(web, domain) == 0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("From: a@{0}\r\nTo: b@c.example\r\nBcc: d@c.example\r\n\r\nx", "Bcc"),
        ("From: a@{0}\r\n\r\nx", "no recipient"),
        ("To: b@c.example\r\n\r\nx", "no address in the From"),
        ("From: a@{0}\r\nTo: b@c.example\r\n\r\nx\ny\r\n", "bare CR or LF"),
        ("", "no address"),
    ],
)
def test_a_raw_message_that_is_wrong_is_told_so(web, domain, text, says):
    content = text.format(domain).encode()
    answer = web.post("/api/emails", content, content_type="message/rfc822")
    assert (answer.status, says in answer.json["detail"]) == (422, True), answer
    assert sent_today(web, domain) == 0


def test_a_body_in_a_coding_is_told_so(web, domain):
    content = gzip.compress(json.dumps(email(domain)).encode())
    answer = web.post("/api/emails", content, content_encoding="gzip")
    assert (answer.status, "Content-Encoding" in answer.json["detail"]) == (415, True), answer


def test_a_message_above_the_limit_is_refused(web, domain):
    answer = web.post("/api/emails", email(domain, text="x" * 27_000_000))
    assert answer.status == 413, answer


def _slowest_while(web, domain, work):
    """What `work` gives, and the longest that a look at a status took meanwhile, in seconds."""
    slowest = 0.0
    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(work)
        while not working.done():
            begun = time.monotonic()
            assert web.get(f"/api/warmup/status/{domain}").status == 200
            slowest = max(slowest, time.monotonic() - begun)
            time.sleep(0.03)  # the token has 1,200 requests a minute, for all tests of this file
    return working.result(), slowest


def test_who_composes_much_does_not_hold_up_the_others(web, domain):
    everybody = [f"Recipient Number {n} <r{n}@rcpt.example>" for n in range(1000)]
    wanted = [email(domain, to=everybody)] * 6
    begun = time.monotonic()
    answer, slowest = _slowest_while(web, domain, lambda: web.post("/api/emails/batch", wanted))
    took = time.monotonic() - begun
    assert answer.status == 422, "no day has room for that many"
    assert slowest < took / 3, (slowest, took)


def test_what_would_take_minutes_to_compose_is_refused(web, domain):
    long = "é" * 450
    names = [f"{long} <r{n}@rcpt.example>" for n in range(300)]
    headers = {f"X-{n}": "é" * 10_000 for n in range(11)}
    for wanted in ({"to": names}, {"cc": names}, {"reply_to": names}, {"headers": headers}):
        refused = web.post("/api/emails", email(domain, **wanted))
        assert (refused.status, "characters together" in refused.json["detail"]) == (422, True)
    listed = b",\n ".join(b"r%d@rcpt.example" % n for n in range(20_000))
    raw = f"From: a@{domain}\nTo: ".encode() + listed + b"\n\nhello\n"
    refused = web.post("/api/emails", raw, content_type="message/rfc822")
    assert (refused.status, "is longer than 262144" in refused.json["detail"]) == (422, True)
    assert sent_today(web, domain) == 0
