"""From fields: whom a message says it is from, read again by a reader that shares no code."""

from __future__ import annotations

import re

from relay.core.domain import normalize_domain
from relay.core.errors import BadMessage, BadSender, BareNewline
from relay.core.mail.header import parse_fields, split_message
from relay.core.mail.sender import Sender, parse_from

SEEDS = (
    b"a@news.acme.example",
    b"Acme <a@news.acme.example>",
    b'"Acme, Inc. <x@evil.example>" <a@news.acme.example>',
    b"a@news.acme.example (c (d) @evil.example)",
    b"group: a@news.acme.example, b@evil.example;",
    b"=?utf-8?Q?x=40evil.example?= <a@news.acme.example>",
    b"a@news.acme.example\r\nFrom: b@evil.example",
    b"a@news.acme.example,\r\n b@evil.example\r\nSender: c@news.acme.example",
    b'"a\\"b"@news.acme.example',
    "ä@näws.example".encode(),
    b"<@evil.example:a@news.acme.example>",
    b"a@[192.0.2.1]",
)
DICTIONARY = (b"From:", b"Sender:", b"\r\n ", b"@evil.example", b"=?utf-8?B?", b"?=", b'"', b"\\(")

_QUOTED = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_DOMAIN = re.compile(rb"@[ \t]*([^\s,;:<>()@\"]+)")


def run(data: bytes) -> None:
    """Every "@domain" outside of quotes and comments is a domain that was found."""
    section = b"From: " + data + b"\r\n"
    sender = _read(section)
    if sender is None:
        return
    assert sender.addresses
    assert all(normalize_domain(name) == name for name in sender.domains)
    assert all(address.isprintable() for address in sender.addresses)
    for name in _named(_values(section)[0]):
        assert normalize_domain(name) in sender.domains, (name, sender)


def _read(section: bytes) -> Sender | None:
    try:
        header, _ = split_message(section)
        return parse_from(parse_fields(header))
    except (BadSender, BadMessage, BareNewline):
        return None


def _values(section: bytes) -> list[bytes]:
    """The From values by a rule of one line: a field goes on while lines begin with a blank."""
    head = section.split(b"\r\n\r\n")[0].removesuffix(b"\r\n") + b"\r\n"
    unfolded = re.sub(rb"\r\n(?=[ \t])", b"", head)
    values = re.findall(rb"(?im)^from[ \t]*:(.*)\r$", unfolded)
    assert len(values) == 1, values
    return values


def _named(value: bytes) -> list[str]:
    plain = _without_comments(value)
    return [name.decode() for name in _DOMAIN.findall(_QUOTED.sub(b'""', plain))]


def _without_comments(value: bytes) -> bytes:
    kept, depth, at, is_quoted = bytearray(), 0, 0, False
    while at < len(value):
        byte = value[at : at + 1]
        step = 2 if byte == b"\\" and (depth or is_quoted) else 1
        if byte == b'"' and not depth:
            is_quoted = not is_quoted
        if not is_quoted and byte in b"()":
            depth += 1 if byte == b"(" else -1
            kept += b" "
        elif not depth:
            kept += value[at : at + step]
        at += step
    return bytes(kept)
