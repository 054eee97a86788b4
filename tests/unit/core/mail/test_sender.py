from __future__ import annotations

import contextlib
import time

import pytest

from relay.core.errors import BadSender
from relay.core.mail.header import parse_fields
from relay.core.mail.sender import MAX_VALUE_BYTES, Sender, parse_from


def sender_of(*lines: str | bytes) -> Sender:
    header = b"".join((x.encode() if isinstance(x, str) else x) + b"\r\n" for x in lines)
    return parse_from(parse_fields(header))


def refusal_of(*lines: str | bytes) -> str:
    with pytest.raises(BadSender) as caught:
        sender_of(*lines)
    return str(caught.value)


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("a@acme.example", "a@acme.example"),
        ("<a@acme.example>", "a@acme.example"),
        ("Acme News <a@ACME.example>", "a@ACME.example"),
        ("Acme<a@acme.example>", "a@acme.example"),
        ('"Acme, Inc. <x@evil.example>" <a@acme.example>', "a@acme.example"),
        ('"back\\\\slash \\" quote" <a@acme.example>', "a@acme.example"),
        ("a@acme.example (Jo (of (Acme)) Doe)", "a@acme.example"),
        ("(\\) \\( x@evil.example) a@acme.example", "a@acme.example"),
        # RFC 5322 A.5
        ("Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>", "pete@silly.test"),
        ('J. R. "Bob" Dobbs <a@acme.example>', "a@acme.example"),
        ("Acme\r\n News\r\n\t<a@acme.example>\r\n ", "a@acme.example"),
        ("=?utf-8?Q?Caf=C3=A9=2C_x?= <a@acme.example>", "a@acme.example"),
        ("Team: a@acme.example;", "a@acme.example"),
        ('"The Team" : Jo <a@acme.example>, ; (end)', "a@acme.example"),
        ('"two words"@acme.example', '"two words"@acme.example'),
        ('"a@b"@acme.example', '"a@b"@acme.example'),
        ('first."second part".third@acme.example', 'first."second part".third@acme.example'),
        ("a @ acme.example", "a@acme.example"),
        ("a.b+c=d'e!f@acme.example", "a.b+c=d'e!f@acme.example"),
        (", a@acme.example ,", "a@acme.example"),
        ("café@acme.example", "café@acme.example"),
    ],
)
def test_one_address_is_found(value, address):
    sender = sender_of("From: " + value)
    assert sender.addresses == (address,)
    assert sender.domains == (address.rpartition("@")[2].lower(),)


def test_a_display_name_may_be_in_any_8_bit_charset():
    assert sender_of(b"From: Caf\xe9 <a@acme.example>").domains == ("acme.example",)


def test_a_unicode_domain_becomes_its_a_label():
    assert sender_of("From: a@BÜCHER.example").domains == ("xn--bcher-kva.example",)
    assert sender_of("From: a@bu\u0308cher.example").domains == ("xn--bcher-kva.example",)
    assert sender_of("From: a@XN--bcher-kva.example").domains == ("xn--bcher-kva.example",)


@pytest.mark.parametrize(
    "domain",
    [
        "faß.example",
        "ａｃｍｅ.example",
        "acme․example",
        "acme。example",
        "ac\u200dme.example",
        "ﬁ.example",
        "ac\u00adme.example",
        "ac\u202eme.example",
    ],
)
def test_a_unicode_domain_that_others_may_read_as_another_is_refused(domain):
    text = refusal_of(f"From: a@{domain}")
    assert "domain name" in text or "unprintable" in text


def test_the_name_of_the_field_is_matched_in_any_case_and_with_space_before_the_colon():
    assert sender_of("fROM \t: a@acme.example").domains == ("acme.example",)


def test_several_addresses_need_one_sender():
    both = "From: a@acme.example, b@other.example, c@acme.example"
    sender = sender_of(both, "Sender: s@third.example")
    assert sender.addresses == ("a@acme.example", "b@other.example", "c@acme.example")
    assert sender.domains == ("acme.example", "other.example")
    assert "needs a Sender field" in refusal_of(both)
    assert "2 Sender fields" in refusal_of(both, "Sender: a@b.example", "Sender: a@b.example")
    assert "more than one address" in refusal_of(both, "Sender: a@b.example, c@b.example")
    assert "Sender field names no address" in refusal_of(both, "Sender: ")


def test_the_sender_of_a_message_with_one_address_does_not_matter():
    assert sender_of("From: a@acme.example", "Sender: <<<").domains == ("acme.example",)


def test_every_address_of_a_group_counts():
    sender = sender_of("From: T: a@acme.example, X <b@evil.example>;", "Sender: a@acme.example")
    assert sender.domains == ("acme.example", "evil.example")


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (["To: a@acme.example"], "no From field"),
        (["From: a@acme.example", "From: a@acme.example"], "2 From fields"),
        (["From: a@acme.example", "from : b@evil.example"], "2 From fields"),
        (["From:"], "names no address"),
        (["From: (only a comment)"], "names no address"),
        (["From: undisclosed-recipients:;"], "names no address"),
        (["From: Acme News"], "Acme News is no address"),
        (["From: <>"], "no plain user@domain between"),
        (["From: Acme <>"], "no plain user@domain between"),
        (["From: a@"], "not clear where"),
        (["From: @acme.example"], "not clear where"),
        (["From: a@[192.0.2.1]"], "address literal"),
        (["From: a@192.0.2.1"], "no domain name"),
        (["From: <a@acme.example"], "does not end in >"),
        (["From: a@acme.example (no end"], "comment that does not end"),
        (["From: (a \\"], "comment that does not end"),
        (['From: "no end <a@acme.example>'], "quoted string that does not end"),
        (["From: T: a@acme.example"], "not clear where"),
        (["From: T: U: a@acme.example;;"], "cannot be parsed"),
        (["From: T: a@acme.example; b@evil.example"], "not clear where"),
        (["From: a@acme.example;"], "not clear where"),
        (["From: a..b@acme.example"], "not clear where"),
        (["From: .a@acme.example"], "not clear where"),
        (["From: a@acme.example."], "not clear where"),
        (["From: a@acme..example"], "not clear where"),
        (['From: a@"acme.example"'], "cannot be quoted"),
        (["From: a@acme_.example!x"], "no domain name"),
        ([b"From: caf\xe9@acme.example"], "not UTF-8"),
        (["From: a\u202e@acme.example"], "unprintable"),
        (["From: a@" + "x" * 300 + ".example"], "no domain name"),
        (["From: a)@acme.example"], "has ) where none may be"),
    ],
)
def test_what_names_no_sender_is_refused_and_says_why(lines, text):
    assert text in refusal_of(*lines)


SPOOFS = [
    "From: a@evil.example (b@acme.example)",
    'From: "a@acme.example" <x@evil.example>',
    "From: x@evil.example, a@acme.example",
    "From: a@acme.example, x@evil.example",
    "From: a@acme.example <x@evil.example>",
    "From: x@evil.example <a@acme.example>",
    "From: <a@acme.example> <x@evil.example>",
    "From: <a@acme.example>x@evil.example",
    "From: a@acme.example x@evil.example",
    "From: a@acme.example\0, x@evil.example",
    "From: a@acme.example\0@evil.example",
    "From: a@acme.example@evil.example",
    "From: a@evil.example@acme.example",
    "From: <@evil.example:a@acme.example>",
    "From: <@acme.example,@evil.example:a@acme.example>",
    "From: a@acme.example .evil.example",
    "From: a@acme.example. evil.example",
    "From: a@evil . acme.example",
    "From: a@acme.example(x).evil.example",
    "From: a@acme.example\r\n .evil.example",
    "From: a@acme.example\x0b<x@evil.example>",
    "From: a@acme.example\x1b<x@evil.example>",
    "From: =?utf-8?Q?=3Cx@evil.example=3E?= <a@acme.example>",
    "From: T: a@acme.example; <x@evil.example>",
    'From: "a@acme.example\\" <x@evil.example>',
    "From: (a@acme.example\\) x@evil.example",
    "From: a%evil.example@acme.example.evil.example",
    "From: x@evil.example <!-- <a@acme.example>",
    "From: a@acme.example\\@evil.example",
    "From: x@evil.example;a@acme.example",
    "From: <x@evil.example;a@acme.example>",
    "From: a@acme.examp\r\n le",
]


@pytest.mark.parametrize("line", SPOOFS)
def test_a_spoof_never_passes_as_acme_alone(line):
    try:
        domains = sender_of(line, "Sender: a@acme.example").domains
    except BadSender:
        return
    assert domains != ("acme.example",)


def test_two_from_fields_are_refused_in_either_order():
    for one, other in (("acme", "evil"), ("evil", "acme")):
        assert "2 From fields" in refusal_of(f"From: a@{one}.example", f"FROM : a@{other}.example")


def test_a_value_over_the_limit_is_refused():
    assert "longer than" in refusal_of("From: (" + "x" * MAX_VALUE_BYTES + ") a@acme.example")


@pytest.mark.parametrize(
    "value",
    [
        b"(" * 16_000,
        b"(" * 8_000 + b")" * 8_000,
        b"a@b.c," * 2_600,
        b'"\\' * 8_000,
        b"a." * 8_000,
        b"\\" * 16_000,
        b"(\\" * 8_000,
        b"a:" * 8_000,
        b"<" * 16_000,
        b" " * 16_000,
        b"\xc3\xa9" * 8_000,
        b"a@" + b"\xc3\xa9" * 8_000,
    ],
    ids=lambda value: value[:6].decode("latin-1"),
)
def test_hostile_values_take_little_time(value):
    fields = parse_fields(b"From: " + value + b"\r\nSender: " + value + b"\r\n")
    took_s = []
    for _ in range(3):  # others share the processor
        started = time.process_time()
        with contextlib.suppress(BadSender):
            parse_from(fields)
        took_s.append(time.process_time() - started)
    assert min(took_s) < 0.2
