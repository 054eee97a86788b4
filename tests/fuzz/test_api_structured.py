"""Emails of the API, with everything that Python's own composer has ever stumbled over.

What fuzzing found is below, by name; `api_request.run` is the oracle of both.
"""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz import api_request
from tests.fuzz.api_site import Answered, ask

FROM = "a@news.acme.example"
TO = "b@receiver.example"


def encoded(text: str, charset: str = "utf-8") -> str:
    """As an encoded word (RFC 2047)."""
    return f"=?{charset}?b?{b64encode(text.encode(charset)).decode()}?="


INJECTED = "a\r\nBcc: x@evil.example"
ONE_BY_Q = "=?utf-8?q?a=0D=0ABcc:_x=40evil.example?="
WORDS = st.sampled_from([
    ONE_BY_Q, encoded(INJECTED), encoded(INJECTED, "utf-16"), "=?utf-8?q?=0A?=", "=?x?q?=0D?=",
    encoded(ONE_BY_Q), "=?us-ascii?q?x?=", "=?utf-8?b?=====?=", "\u2028", "\x85", "\ud800", "\r\n",
    "\0", "ä", "€" * 40, "k" * 300, " ", ",", ";", '"', "\\", "(", ")", "<", ">", "@", ":", "=?", "?=",
    "From: x@evil.example", TO, FROM, "@evil.example", "\u202e", "\ufeff",
])  # fmt: skip
TEXTS = st.lists(WORDS, max_size=5).map("".join)
NAMED = st.tuples(TEXTS, st.sampled_from([TO, FROM, "c@evil.example"])).map(
    lambda pair: f"{pair[0]} <{pair[1]}>"
)
HEADERS = st.sampled_from(
    ["X-A", "Message-ID", "References", "In-Reply-To", "List-Unsubscribe", "Sender", "Comments"]
)
EMAILS = st.fixed_dictionaries(
    {"from": st.sampled_from([FROM, f"Acme <{FROM}>"]) | NAMED, "to": st.just(TO) | st.lists(NAMED)},
    optional={
        "cc": NAMED, "bcc": st.lists(NAMED), "reply_to": NAMED, "subject": TEXTS, "text": TEXTS,
        "html": TEXTS, "headers": st.dictionaries(HEADERS, TEXTS, max_size=3),
        "attachments": st.lists(
            st.fixed_dictionaries({"filename": TEXTS, "content": st.just("eA==")}), max_size=2
        ),
    },
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(EMAILS, min_size=1, max_size=2))
def test_emails_of_nasty_words(emails):
    one, all_of_them = json.dumps(emails[0]).encode(), json.dumps(emails).encode()
    api_request.run(b"\0" + one)
    api_request.run(b"\2" + all_of_them)


RAW = st.lists(
    st.sampled_from([
        b"From: a@news.acme.example", b"From: x@evil.example", b"To: b@receiver.example", b"Bcc: c@d.e",
        b"To: \xff@\xfe.example", b"Cc: =?utf-8?q?=0D?= <a@b.c>", b"\r\n", b"\n", b"\r", b"\r\n ", b"\0",
        b"Subject: \xc3\xa4", b"Content-Type: multipart/mixed; boundary=", b".", b"x",
    ]),
    max_size=12,
).map(b"".join)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([b"", b"to=c@d.example", b"from=a@evil.example", b"to=%ff%0d%0a"]), RAW)
def test_raw_messages_of_nasty_lines(query, raw):
    api_request.run(b"\1" + query + b"\0" + raw)


def posted(**fields: object) -> Answered:
    body = json.dumps({"from": FROM, "to": TO, "text": "t"} | fields).encode()
    api_request.run(b"\0" + body)
    method, target, headers, body = api_request.request_of(0, body)
    return asyncio.run(ask(api_request.BUILT.app, method, target, headers, body))


@pytest.mark.parametrize("word", [ONE_BY_Q, encoded(INJECTED), encoded(INJECTED, "utf-16")])
@pytest.mark.parametrize(
    "place",
    [
        lambda word: {"subject": word},
        lambda word: {"headers": {"X-A": word}},
        lambda word: {"from": f"{word} <{FROM}>"},
        lambda word: {"to": [f'"{word}" <{TO}>']},
        lambda word: {"reply_to": f"{word} <{TO}>"},
    ],
    ids=["subject", "header", "from", "to", "reply_to"],
)
def test_a_line_end_within_an_encoded_word_ends_no_field(place, word):
    """Python's composer writes what is in the word as it is: another field, or a body."""
    answer = posted(**place(word))
    assert answer.status == 422
    assert b"control character" in answer.body


def test_an_encoded_word_within_an_encoded_word_is_refused_in_a_name():
    assert posted(to=[f"{encoded(ONE_BY_Q)} <{TO}>"]).status == 422


def test_a_name_that_was_encoded_by_the_client_arrives_as_it_was_meant():
    assert (
        posted(**{"from": f"{encoded('Bücher')} <{FROM}>", "subject": encoded("ä")}).status == 200
    )


@pytest.mark.parametrize("end", ["\u2028", "\u2029", "\x85", "\x0b", "\x1c"])
def test_what_only_python_takes_for_a_line_end_is_refused_and_no_internal_failure(end):
    assert posted(subject=f"a{end}b").status == 422
    assert posted(headers={"X-A": f"a{end}b"}).status == 422


def test_a_field_that_cannot_be_folded_into_lines_is_refused():
    assert posted(headers={"Message-ID": f"<{'a' * 2000}@b.example>"}).status == 422


def test_a_raw_message_with_addresses_that_are_no_utf_8_is_told_so():
    raw = b"From: a@news.acme.example\r\nTo: b@\xff\xfe.example\r\n\r\nx\r\n"
    api_request.run(b"\1\0" + raw)


def test_the_api_redirects_nowhere():
    """It would be to the host that the client's own Host field names."""
    for path in (b"/api/warmup/", b"/api/emails/", b"/api/warmup/status/news.acme.example/"):
        api_request.run(b"\3" + path)
