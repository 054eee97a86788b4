"""The same targets, given what Hypothesis builds of the words of each language."""

from __future__ import annotations

from base64 import b64encode
from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.edge.proxy import V2_SIGNATURE, Source, read_header
from tests.fuzz import (
    auth_payload,
    config_file,
    dialogue,
    from_header,
    mx_answer,
    proxy_header,
    signing,
    upstream_reply,
)
from tests.fuzz.targets import NAMES, target

SOME = settings(max_examples=150, deadline=None)
FEW = settings(max_examples=40, deadline=None)

ADDRESSES = st.sampled_from(
    ["a@news.acme.example", "a@evil.example", "", "a%b@news.acme.example", '"a b"@c.d', "@x,@y:a@b.c", "ä@ö.example"]
)  # fmt: skip
COMMANDS = st.one_of(
    st.sampled_from(["EHLO x", "HELO x", "RSET", "NOOP", "DATA", "QUIT", "STARTTLS", "VRFY x", "BDAT 3 LAST"]),
    ADDRESSES.map(lambda address: f"MAIL FROM:<{address}>"),
    ADDRESSES.map(lambda address: f"MAIL FROM:<{address}> SMTPUTF8 BODY=8BITMIME SIZE=9"),
    ADDRESSES.map(lambda address: f"RCPT TO:<{address}>"),
    st.sampled_from(["AUTH PLAIN AGFjbWUAcmlnaHQ=", "AUTH LOGIN", "YWNtZQ==", "cmlnaHQ=", "*"]),
    st.sampled_from(["From: a@news.acme.example", "From: a@evil.example", "", ".", "..", "text"]),
)  # fmt: skip
LINE_ENDS = st.sampled_from([b"\r\n"] * 12 + [b"\n", b"\r", b"\r\r\n", b"\0\r\n"])
LINES = st.tuples(COMMANDS.map(str.encode), LINE_ENDS).map(b"".join)


@SOME
@given(st.integers(0, 40), st.lists(LINES, max_size=25))
def test_dialogues(cut, lines):
    opening = b"EHLO x\r\nAUTH PLAIN AGFjbWUAcmlnaHQ=\r\n"
    dialogue.run(bytes([cut]) + opening + b"".join(lines))


PORTS = st.integers(0, 65_535)
TAILS = st.binary(max_size=40)


@SOME
@given(st.ip_addresses(v=4), st.ip_addresses(v=4), PORTS, TAILS)
def test_a_written_header_is_read_as_written(source, target_address, port, tail):
    first = f"PROXY TCP4 {source} {target_address} {port} 25\r\n".encode()
    packed = source.packed + target_address.packed + port.to_bytes(2, "big") + b"\0\x19"
    second = V2_SIGNATURE + b"\x21\x11\0\x0c" + packed
    for header in (first, second):
        assert read_header(header) == Source(ip_address(source))
        proxy_header.run(header + tail)


@SOME
@given(st.binary(max_size=4), st.integers(0, 0x2000), st.binary(max_size=60))
def test_version_2_with_any_length_and_family(head, length, rest):
    proxy_header.run(V2_SIGNATURE + head[:2].ljust(2, b"\x21") + length.to_bytes(2, "big") + rest)


PARTS = st.lists(st.binary(max_size=12), min_size=1, max_size=4)


@SOME
@given(st.sampled_from([b"PLAIN", b"LOGIN", b"plain", b"CRAM-MD5"]), PARTS, st.booleans())
def test_logins(mechanism, parts, is_initial):
    if mechanism.upper() == b"PLAIN":
        parts = [b"\0".join(parts)]
    coded = [b64encode(part) or b"=" for part in parts]
    auth_payload.run(mechanism + (b" " if is_initial else b"\n") + b"\n".join(coded))


PHRASES = st.sampled_from(
    [b"Acme", b'"Acme <x@evil.example>"', b"(c@evil.example)", b"=?utf-8?q?x=40evil.example?=", b"a@news.acme.example",
     b"<a@news.acme.example>", b"<x@evil.example>", b",", b";", b"g:", b" ", b"\r\n ", b"\t", b"\\", b'"', b"(", b")",
     b"\xc3\xa4@evil.example", b"\r\nSender: a@news.acme.example", b"\r\nFrom: x@evil.example", b"@", b"[192.0.2.1]"]
)  # fmt: skip


@settings(max_examples=600, deadline=None)
@given(st.lists(PHRASES, max_size=10).map(b"".join))
def test_from_fields(value):
    from_header.run(value)


BODIES = st.lists(
    st.sampled_from([b"\r\n", b" ", b"\t", b"x", b".", b"\r\n.", b"\xff", b"  \r\n", b"\0"]),
    max_size=40,
).map(b"".join)
FIELDS = st.lists(
    st.sampled_from([b"Subject: a  b\r\n\tc \r\n", b"To: x@y\r\n", b"X:\r\n", b"Date : now\r\n", b"Bcc: b@c\r\n",
                     b"DKIM-Signature: v=1; b=x\r\n", b"Message-ID: <1@x>\r\n", b"X-Warmup-Class: marketing\r\n"]),
    max_size=8,
).map(b"".join)  # fmt: skip


@SOME
@given(FIELDS, BODIES)
def test_messages_are_signed_as_they_are_sent(fields, body):
    signing.run(b"From: a@news.acme.example\r\n" + fields + b"\r\n" + body + b"\r\n")


@FEW
@given(st.data())
def test_a_config_with_a_line_changed(data):
    seed = data.draw(st.sampled_from(config_file.SEEDS[:3]))
    lines = seed.split(b"\n")
    at = data.draw(st.integers(0, len(lines) - 1))
    word = data.draw(st.sampled_from(config_file.DICTIONARY))
    lines[at] = data.draw(st.sampled_from([lines[at] + word, word + lines[at], word, b""]))
    config_file.run(b"\n".join(lines))


@SOME
@given(st.sampled_from(mx_answer.SEEDS), st.integers(0, 60), st.binary(max_size=6))
def test_answers_with_a_few_bytes_changed(seed, at, change):
    mx_answer.run(seed[:at] + change + seed[at + len(change) :])


REPLY_LINES = st.tuples(
    st.sampled_from([b"250", b"550", b"421", b"451", b"999", b""]),
    st.sampled_from([b"-", b" ", b"", b"-5.1.1 ", b" 4.7.0 "]),
    st.text(max_size=20).map(str.encode) | st.binary(max_size=20),
    st.sampled_from([b"\r\n", b"\r\n", b"\n", b"\r"]),
).map(b"".join)


@settings(max_examples=400, deadline=None)
@given(st.lists(REPLY_LINES, max_size=6).map(b"".join))
def test_replies_of_an_upstream(data):
    upstream_reply.run(data)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_words_of_the_dictionary_in_any_order(name, data):
    module = target(name)
    words = st.sampled_from([*module.DICTIONARY, *module.SEEDS])
    module.run(b"".join(data.draw(st.lists(words | st.binary(max_size=3), max_size=8))))
