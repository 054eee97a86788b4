"""Nothing from outside adds a line: not to a reply, a header field, a log or a metric."""

from __future__ import annotations

import base64
import json
import re

import pytest

from tests.attacks.conftest import SENDER, Besiege, Besieged
from tests.harness.smtp_script import Act
from tests.harness.wire import mail

FORGED = '{"event": "forged"}'


@pytest.fixture(scope="module")
def besieged(besiege: Besiege) -> Besieged:
    return besiege(more={"log": {"level": "debug", "format": "json", "addresses": True}})


@pytest.mark.parametrize(
    "said",
    [
        b"550 5.1.1 no\r250 2.0.0 forged\r\n",
        b"550-5.1.1 no\r\n550 5.1.1 \x00\x07\x1b[31m forged\r\n",
        "550 5.1.1 no\u2028250 forged\u2029\x85250 forged\r\n".encode(),
        b"550 5.1.1 no\x0b250 forged\x0c250 forged\x1c\x1d\x1e\r\n",
        b"550 5.1.1 " + b"x" * 4000 + b"\r\n",
        b"550 5.1.1 \xff\xfe" + FORGED.encode() + b"\r\n",
        b"550 999.999.999 " + b'"}\nrelay_forged 1' + b"\r\n",
    ],
)
def test_a_reply_of_the_upstream_stays_one_reply(besieged: Besieged, said: bytes) -> None:
    besieged.sink.once("RCPT", Act(said))
    with besieged.wire() as wire:
        reply = wire.send(SENDER, "v@receiver.example", mail(SENDER))
        assert wire.do("NOOP").text == "2.0.0 Ok"
    assert reply.code // 100 in {4, 5}
    assert re.fullmatch(r"[\x20-\x7e\n]*", reply.text)
    assert all(len(line) <= 506 for line in reply.text.split("\n"))


@pytest.mark.parametrize(
    "helo",
    [
        "EHLO a\rReceived: forged",
        "EHLO a\0b",
        "EHLO a\x0bb",
        "EHLO a\x7fb",
        "EHLO a b",
        "EHLO ä.example",
        f"EHLO {'x' * 256}",
        "HELO a\tb",
    ],
)
def test_a_name_that_could_break_a_line_is_refused(besieged: Besieged, helo: str) -> None:
    with besieged.wire() as wire:
        assert wire.do(helo).code in {500, 501}


@pytest.mark.parametrize("helo", ["a)(b", "a;b", '"a"', "[127.0.0.1](x", "a\\", "<a@b>", "%s{}$"])
def test_an_odd_name_stays_inside_its_field(besieged: Besieged, helo: str) -> None:
    before = besieged.taken()
    with besieged.wire() as wire:
        assert wire.do(f"EHLO {helo}").code == 250
        assert wire.send(SENDER, "v@receiver.example", mail(SENDER)).code == 250
    [message] = besieged.sink.sink.messages[before:]
    added, _, rest = message.content.partition(b"From: ")
    fields = re.split(rb"\r\n(?![ \t])", added.removesuffix(b"\r\n"))
    names = [field.partition(b":")[0] for field in fields]
    assert set(names) <= {b"Received", b"Date", b"Message-ID", b"DKIM-Signature"}
    received = next(field for field in fields if field.startswith(b"Received:"))
    assert received.count(b";") == 1, "the date stands behind the one semicolon (RFC 5321 4.4)"
    assert rest.startswith(b"Acme <")


@pytest.mark.parametrize(
    "username",
    [f"x\n{FORGED}", f"x\r\n{FORGED}\r\n", "x\u2028y", "x\x1b[2J", "x\0y", '"} ', "\ud800"],
)
def test_a_user_name_adds_no_line_to_the_log(besieged: Besieged, username: str) -> None:
    plain = f"\0{username}\0t".encode("utf-8", "surrogatepass")
    with besieged.wire(source="127.0.0.7") as wire:
        reply = wire.do("AUTH PLAIN " + base64.b64encode(plain).decode())
        assert reply.code in {535, 501, 454}


def test_every_line_of_the_log_is_the_relays_own(besieged: Besieged) -> None:
    for name in (f"v\x0b{FORGED}", "v\u2028", '"v\r"', "v\x7f"):
        with besieged.wire() as wire:
            assert wire.do(f"MAIL FROM:<{SENDER}> SMTPUTF8").code == 250
            assert wire.do(f"RCPT TO:<{name}@receiver.example>").code in {500, 501, 553}
    lines = besieged.log().splitlines()
    entries = [json.loads(line) for line in lines if line.startswith("{")]
    assert len(entries) == len(lines), "a line that is no JSON"
    assert all(entry["event"] != "forged" for entry in entries)
    assert "\x1b" not in besieged.log()


def test_labels_of_metrics_hold_nothing_from_outside(besieged: Besieged) -> None:
    page = besieged.relay.http("/metrics").body
    assert "forged" not in page
    assert "999.999.999" not in page
    assert "receiver.example" not in page
    for line in page.splitlines():
        assert re.fullmatch(r"#.*|[a-z_]+(\{[^\n]*\})? [-+0-9.eInfNa]+", line), line
