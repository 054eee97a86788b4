from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from relay.core.domain import normalize_domain
from relay.core.errors import BadMessage, BadSender, BareNewline
from relay.core.mail.header import Field, parse_fields, split_message
from relay.core.mail.sender import Sender, parse_from
from tests.harness.examples import examples

PIECES = [
    "a", "news", "acme.example", "@acme.example", "@evil.example", "x@evil.example", "a@acme.example",
    "<", ">", "@", ",", ";", ":", ".", '"', "\\", "(", ")", "[", "]", " ", "\t", "\r\n ", "\0", "\x0b",
    "=?utf-8?Q?", "?=", "é", "\xa0", "\u202e", "。", "xn--", "%", "!", "--",
]  # fmt: skip
NOISY = st.lists(st.sampled_from(PIECES), max_size=14).map("".join).map(str.encode)
VALUES = NOISY | st.binary(max_size=60)


def parsed(*fields: tuple[bytes, bytes]) -> Sender | None:
    try:
        return parse_from([Field(name, value, 0, 0) for name, value in fields])
    except BadSender:
        return None


@settings(max_examples=examples(3000), deadline=None)
@given(VALUES, VALUES)
@example(b"a@" + b"\xf0\x9f\x98\x80" * 60, b"")
@example(b"a@" + b"xn--" * 60 + b"\xc3\xa9", b"")
def test_any_bytes_give_a_sender_with_normal_domains_or_a_bad_sender(value, sender):
    found = parsed((b"from", value), (b"sender", sender))
    if found is None:
        return
    assert found.addresses
    assert found.domains
    assert all(normalize_domain(domain) == domain for domain in found.domains)
    tails = [normalize_domain(address.rpartition("@")[2]) for address in found.addresses]
    assert tuple(dict.fromkeys(tails)) == found.domains


@settings(max_examples=examples(2000), deadline=None)
@given(NOISY)
def test_another_address_outside_quotes_and_comments_never_passes_as_acme_alone(value):
    for text in (value + b" x@evil.example", b"x@evil.example " + value):
        if b"(" in text or b'"' in text:
            continue
        found = parsed((b"from", text), (b"sender", b"a@acme.example"))
        assert found is None or any("evil" in domain for domain in found.domains)


@settings(max_examples=examples(500), deadline=None)
@given(VALUES, VALUES)
def test_two_from_fields_are_never_a_sender(one, other):
    assert parsed((b"from", one), (b"from", other)) is None


@settings(max_examples=examples(1000), deadline=None)
@given(st.lists(st.sampled_from(["\r\n", "From", ":", " ", "\t", "a@b.example", "\n", "\r", "X-", "é"]),
                max_size=25).map("".join).map(str.encode) | st.binary(max_size=80))  # fmt: skip
def test_any_bytes_are_a_header_that_joins_up_again_or_refused(content):
    try:
        header, body = split_message(content)
        fields = parse_fields(header)
    except (BadMessage, BareNewline):
        return
    assert header + bytes(body) == content
    assert b"".join(header[field.start : field.end] for field in fields) == header
    assert not body or bytes(body[:2]) == b"\r\n"


@settings(max_examples=examples(1000), deadline=None)
@given(
    st.text(alphabet="abc.'+-\u00e9", min_size=1, max_size=8).filter(
        lambda text: ".." not in text and text.strip(".") == text
    ),
    st.text(max_size=20),
)
def test_an_address_written_as_it_should_be_is_found(local, name):
    shown = name.replace("\\", "").replace('"', '\\"')
    shown = "".join(c for c in shown if c >= " " and c != "\x7f").encode("utf-8", "ignore")
    found = parsed((b"from", b'"' + shown + b'" <' + local.encode() + b"@acme.example>"))
    assert found == Sender((f"{local}@acme.example",), ("acme.example",))
