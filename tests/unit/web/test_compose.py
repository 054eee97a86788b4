"""What `compose` writes of an email, and what it reads of a raw one."""

from __future__ import annotations

from email.parser import BytesParser
from email.policy import default

import pytest

from relay.web.api.compose import composed
from relay.web.api.problems import Problem
from relay.web.api.raw import received
from relay.web.api.schemas import Email

LINK = "<https://acme.example/unsubscribe?token=" + "a" * 90 + ">"
OF_A_THREAD = " ".join(f"<{letter * 90}@mail.example>" for letter in "abc")


def header_of(**more):
    """The header of an email with `more`, as bytes."""
    plain = {"from": "a@acme.example", "to": "b@rcpt.example", "text": "hello"}
    _, content = composed(Email.model_validate(plain | more))
    return content.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("List-Unsubscribe", LINK),
        ("List-Unsubscribe", f"<mailto:out@acme.example?subject=out>, {LINK}"),
        ("In-Reply-To", OF_A_THREAD.split()[0]),
        ("References", OF_A_THREAD),
        ("X-Json", '{"a":  "' + "b" * 200 + '"}'),
    ],
)
def test_a_word_longer_than_a_line_stays_as_it_is(name, value):
    head = header_of(headers={name: value})
    unfolded = head.replace(b"\r\n ", b" ").split(b"\r\n")
    assert f"{name}: {value}".encode() in unfolded


@pytest.mark.parametrize(
    "subject",
    ["a " * 200 + "b", "x" * 1900, "ü" + "x" * 400, " " * 60 + "a" + " " * 60 + "b", "=?" * 60],
)
def test_a_subject_is_read_as_it_was_written_and_no_line_is_too_long(subject):
    head = header_of(subject=subject)
    assert max(map(len, head.split(b"\r\n"))) <= 998
    assert all(line.strip() for line in head.strip().split(b"\r\n"))
    assert BytesParser(policy=default).parsebytes(head)["Subject"].strip() == subject.strip()


OBSOLETE = b"From: a@acme.example\nTo: b@rcpt.example\nX-Old : 1\n"
"""RFC 5322 §4.5: white space before the colon, where the library's parser ends the header."""


def test_the_recipients_behind_an_obsolete_field_are_recipients():
    envelope, _ = received(OBSOLETE + b"Cc: c@rcpt.example\n\nhello\n", None, [])
    assert [each.address for each in envelope.recipients] == ["b@rcpt.example", "c@rcpt.example"]


@pytest.mark.parametrize("field", [b"Bcc: c@rcpt.example", b"bcc : c@rcpt.example"])
def test_a_bcc_behind_an_obsolete_field_is_refused(field):
    with pytest.raises(Problem, match="Bcc"):
        received(OBSOLETE + field + b"\n\nhello\n", None, [])
