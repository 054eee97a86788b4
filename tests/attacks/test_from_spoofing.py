"""Whom a message says it is from: in no writing of the From field is it another tenant."""

from __future__ import annotations

import base64

import pytest

from tests.attacks.conftest import RIVAL, SENDER, Besiege, Besieged
from tests.harness.relay_config import DOMAIN

CEO = f"ceo@{RIVAL}"
CODED = base64.b64encode(CEO.encode()).decode()
REFUSED = {
    "plain": f"From: {CEO}",
    "with a name": f"From: {SENDER} <{CEO}>",
    "with a quoted name": f'From: "{SENDER}" <{CEO}>',
    "two fields, ours first": f"From: {SENDER}\r\nFrom: {CEO}",
    "two fields, theirs first": f"From: {CEO}\r\nFrom: {SENDER}",
    "two fields, other case": f"From: {SENDER}\r\nfROM: {CEO}",
    "two fields, space before the colon": f"From: {SENDER}\r\nFrom : {CEO}",
    "two fields, tab before the colon": f"From: {SENDER}\r\nFrom\t: {CEO}",
    "two addresses": f"From: {SENDER}, {CEO}\r\nSender: {SENDER}",
    "two addresses, theirs first": f"From: {CEO}, {SENDER}\r\nSender: {SENDER}",
    "a group": f"From: Us: {SENDER}, {CEO};\r\nSender: {SENDER}",
    "a group of theirs": f"From: Us: {CEO};",
    "an empty group": "From: Us:;",
    "a comment of ours": f"From: {CEO} ({SENDER})",
    "a comment in the domain": f"From: ceo@{RIVAL}(x)",
    "a nested comment": f"From: (a (b) <{SENDER}>) {CEO}",
    "an encoded word for an address": f"From: =?utf-8?B?{CODED}?=",
    "an encoded word in brackets": f"From: {SENDER} <=?utf-8?B?{CODED}?=>",
    "Sender is ours": f"From: {CEO}\r\nSender: {SENDER}",
    "Resent-From is ours": f"From: {CEO}\r\nResent-From: {SENDER}",
    "folded": f"From:\r\n {CEO}",
    "folded between": f"From: {SENDER},\r\n\t{CEO}\r\nSender: {SENDER}",
    "folded on a line of blanks": f"From: {SENDER}\r\n \r\n ,{CEO}",
    "two brackets": f"From: <{SENDER}> <{CEO}>",
    "nested brackets": f"From: <<{SENDER}>{CEO}>",
    "a source route": f"From: <@{DOMAIN}:{CEO}>",
    "quoted local part": f'From: "{SENDER}"@{RIVAL}',
    "a quoted domain": f'From: news@"{DOMAIN}"',
    "an unquoted at in the name": f"From: {CEO} {SENDER}",
    "a literal": "From: news@[127.0.0.1]",
    "no domain": "From: news",
    "no field": "Subject: x",
    "empty": "From: ",
    "8-bit look-alike": "From: news@news.\u0430cme.example",
    "full width": "From: news@\uff4eews.acme.example",
    "dot leader": "From: news@news\uff0eacme\uff0eexample",
    "raw 8-bit bytes": b"From: news@news.acme.example\xff",
    "a nul": f"From: {SENDER}\0{CEO}",
    "a vertical tab": f"From: {SENDER}\x0b,{CEO}",
    "a list of nothing and theirs": f"From: ,,{CEO}",
    "a semicolon between": f"From: {SENDER};{CEO}",
    "a parent domain": "From: a@acme.example",
    "a subdomain": f"From: a@x.{DOMAIN}",
    "a longer name": f"From: a@{DOMAIN}.{RIVAL}",
    "no header at all": f"\r\nFrom: {SENDER}",
    "ours in the body": f"From: {CEO}\r\n\r\nFrom: {SENDER}",
    "a line that is no field": f"From: {SENDER}\r\nnonsense\r\nFrom: {CEO}",
}
OWN = {
    "a name that looks like an address": f'From: "{CEO}" <{SENDER}>',
    "an encoded name": f"From: =?utf-8?B?{CODED}?= <{SENDER}>",
    "a comment": f"From: {SENDER} ({CEO})",
    "other case": f"FROM: News@{DOMAIN.upper()}",
    "folded": f"From: Acme\r\n <{SENDER}>",
    "theirs in Reply-To": f"From: {SENDER}\r\nReply-To: {CEO}",
}


@pytest.fixture(scope="module")
def besieged(besiege: Besiege) -> Besieged:
    return besiege()


def content(header: str | bytes) -> bytes:
    head = header if isinstance(header, bytes) else header.encode()
    return head + b"\r\nTo: v@receiver.example\r\nMessage-ID: <1@x>\r\n\r\nbody\r\n"


@pytest.mark.parametrize("sender", [SENDER, ""], ids=["own envelope", "null envelope"])
@pytest.mark.parametrize("header", REFUSED.values(), ids=REFUSED)
def test_a_from_field_that_could_be_another_tenants_is_refused(
    besieged: Besieged, header: str | bytes, sender: str
) -> None:
    before = besieged.taken()
    with besieged.wire() as wire:
        assert wire.do(f"MAIL FROM:<{sender}> SMTPUTF8").code == 250
        assert wire.do("RCPT TO:<v@receiver.example>").code == 250
        wire.hand_in(content(header))
        reply = wire.read()
    assert reply.code == 550, reply
    assert besieged.taken() == before


@pytest.mark.parametrize("header", OWN.values(), ids=OWN)
def test_what_stands_around_ones_own_address_does_not_matter(
    besieged: Besieged, header: str
) -> None:
    before = besieged.taken()
    with besieged.wire() as wire:
        assert wire.send(SENDER, "v@receiver.example", content(header)).code == 250
    [message] = besieged.sink.sink.messages[before:]
    assert content(header) in message.content


def test_the_two_answers_do_not_tell_who_else_is_here(besieged: Besieged) -> None:
    said = []
    for domain in (RIVAL, "nobody.example"):
        with besieged.wire() as wire:
            reply = wire.send(SENDER, "v@receiver.example", content(f"From: a@{domain}"))
            said.append(str(reply).replace(domain, "…").rpartition(" [")[0])
    assert said[0] == said[1]
