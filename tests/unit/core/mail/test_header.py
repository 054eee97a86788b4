from __future__ import annotations

import contextlib
import time

import pytest

from relay.core.errors import BadMessage, BareNewline
from relay.core.mail.header import (
    MAX_FIELDS,
    MAX_HEADER_BYTES,
    parse_fields,
    split_message,
    unfolded,
)
from tests.corpus import nasty_messages


def split(content: bytes) -> tuple[bytes, bytes]:
    header, body = split_message(content)
    return header, bytes(body)


def test_the_body_begins_with_the_empty_line():
    assert split(b"A: b\r\n\r\nhi\r\n") == (b"A: b\r\n", b"\r\nhi\r\n")


def test_without_an_empty_line_all_is_header():
    assert split(b"A: b\r\nC: d\r\n") == (b"A: b\r\nC: d\r\n", b"")


def test_a_message_that_begins_with_the_empty_line_has_no_header():
    assert split(b"\r\nA: b\r\n\r\nhi\r\n") == (b"", b"\r\nA: b\r\n\r\nhi\r\n")


def test_an_empty_message_has_neither():
    assert split(b"") == (b"", b"")


def test_a_line_of_white_space_is_a_continuation_and_not_the_empty_line():
    header, body = split(b"A: b\r\n \t\r\n c\r\n\r\nhi\r\n")
    assert [f.value for f in parse_fields(header)] == [b" b\r\n \t\r\n c"]
    assert body == b"\r\nhi\r\n"


def test_the_body_is_never_copied():
    content = b"A: b\r\n\r\n" + b"x" * 1000
    assert split_message(content)[1].obj is content


@pytest.mark.parametrize("content", nasty_messages().values(), ids=nasty_messages().keys())
def test_header_and_body_are_the_message_and_the_fields_are_the_header(content):
    header, body = split_message(content)
    fields = parse_fields(header)
    assert header + bytes(body) == content
    assert b"".join(header[f.start : f.end] for f in fields) == header


def test_a_field_has_its_name_in_lower_case_and_its_value_as_it_is():
    (field,) = parse_fields(b"X-MiXed \t:  a\r\n\tb \r\n")
    assert field.name == b"x-mixed"
    assert field.value == b"  a\r\n\tb "
    assert unfolded(field.value) == b"a\tb"


@pytest.mark.parametrize(
    ("header", "line"),
    [
        (b"Hello world\r\n", 1),
        (b"A: b\r\nno colon here\r\nC: d\r\n", 2),
        (b"A: b\r\n c\r\n: no name\r\n", 3),
        (b" begins with a fold\r\nA: b\r\n", 1),
        (b"From someone Tue Mar 3 2026\r\nA: b\r\n", 1),
        (b"Two words: b\r\n", 1),
        (b"N\xc3\xa4me: b\r\n", 1),
        (b"Nul\0: b\r\n", 1),
        (b"A: no end", 1),
    ],
)
def test_what_is_not_a_field_is_refused_with_its_line(header, line):
    with pytest.raises(BadMessage, match=rf"^line {line} of the message is not a header field"):
        parse_fields(header)


@pytest.mark.parametrize(
    "header", [b"A: b\nC: d\r\n", b"A: b\rC: d\r\n", b"A: b\r\r\n", b"\n: b\r\n"]
)
def test_a_bare_newline_is_refused(header):
    with pytest.raises(BareNewline):
        parse_fields(header)


def test_a_header_section_may_be_as_long_as_the_limit_and_no_longer():
    header = b"A: " + b"x" * (MAX_HEADER_BYTES - 5) + b"\r\n"
    assert split(header + b"\r\nhi")[0] == header
    for content in (b"A" + header + b"\r\nhi", b"A" + header):
        with pytest.raises(BadMessage, match="longer than 1048576 bytes"):
            split_message(content)


def test_a_long_body_does_not_count_as_header():
    assert split(b"A: b\r\n\r\n" + b"x" * 2 * MAX_HEADER_BYTES)[0] == b"A: b\r\n"


def test_too_many_fields_are_refused():
    assert len(parse_fields(b"a:\r\n" * MAX_FIELDS)) == MAX_FIELDS
    with pytest.raises(BadMessage, match="more than 10000 header fields"):
        parse_fields(b"a:\r\n" * (MAX_FIELDS + 1))


HOSTILE = {
    "ten megabytes of fields": b"a: b\r\n" * 1_700_000,
    "one line without a colon": b"a" * MAX_HEADER_BYTES,
    "a name and spaces without a colon": b"a" + b" " * (MAX_HEADER_BYTES - 3) + b"\r\n",
    "folds without end": b"a:" + b"\r\n " * 349_000 + b"\r\n",
    "folds of white space, then a stray line": b"a:" + b"\r\n \t" * 200_000 + b"\r\nstray\r\n",
    "carriage returns": b"a: " + b"\r" * 1_000_000,
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_headers_take_linear_time(content):
    started = time.process_time()
    with contextlib.suppress(BadMessage, BareNewline):
        parse_fields(split_message(content)[0])
    assert time.process_time() - started < 0.5
