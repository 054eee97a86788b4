from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.upstream.stuffing import PIECE_BYTES, content


def wire(head: bytes, body: bytes, size: int = PIECE_BYTES) -> bytes:
    return b"".join(content(head, memoryview(body), size))


def unstuffed(stream: bytes) -> bytes:
    """What an SMTP server makes of it: written on its own, line by line (RFC 5321 §4.5.2)."""
    lines = []
    for line in stream.split(b"\r\n"):
        if line == b".":
            return b"".join(lines)
        lines.append(line.removeprefix(b".") + b"\r\n")
    raise AssertionError("no final dot")


def test_a_message_without_dots_gains_the_final_dot_only():
    assert wire(b"A: b\r\n", b"\r\nhi\r\n") == b"A: b\r\n\r\nhi\r\n.\r\n"


def test_a_message_that_does_not_end_in_crlf_is_given_one():
    assert wire(b"A: b\r\n", b"\r\nhi") == b"A: b\r\n\r\nhi\r\n.\r\n"


def test_an_empty_message_is_a_lone_dot():
    assert list(content(b"", memoryview(b""))) == [b".\r\n"]


@pytest.mark.parametrize("size", range(1, 12))
@pytest.mark.parametrize(
    "body",
    [
        b"\r\n.\r\n",
        b"\r\n..\r\n...\r\n",
        b".first\r\n.second\r\nno.dot\r\n.",
        b"\r\nend.\r\n.\r\n.\r\n",
        b"\r\n\r\n\r\n.a\r\n\r\n.",
    ],
)
@pytest.mark.parametrize("head", [b"", b".odd: head\r\n", b"A: b\r\n"])
def test_dots_survive_at_every_edge(head: bytes, body: bytes, size: int):
    whole = head + body
    expected = whole if whole.endswith(b"\r\n") else whole + b"\r\n"
    assert unstuffed(wire(head, body, size)) == expected


LINES = st.lists(st.sampled_from([b"", b".", b"..", b".x", b"x.", b"text", b"\x80\xff."]))


@given(LINES, LINES, st.integers(1, 9), st.booleans())
def test_any_lines_come_out_as_they_went_in(
    head: list[bytes], body: list[bytes], size: int, ends: bool
):
    top = b"".join(line + b"\r\n" for line in head)
    rest = b"\r\n".join(body) + (b"\r\n" if ends else b"")
    whole = top + rest
    expected = whole if whole.endswith(b"\r\n") or not whole else whole + b"\r\n"
    assert unstuffed(wire(top, rest, size)) == expected


@given(LINES, st.integers(1, 9))
def test_only_the_last_piece_can_complete_the_message(body: list[bytes], size: int):
    pieces = list(content(b"A: b\r\n", memoryview(b"\r\n".join(body)), size))
    assert b"\r\n.\r\n" not in b"".join(pieces[:-1])
    assert (b"\r\n" + b"".join(pieces)).endswith(b"\r\n.\r\n")


def test_a_large_message_is_never_in_memory_twice():
    body = memoryview(b".line of a newsletter, with some more text to it\r\n" * 500_000)
    assert len(body) > 24_000_000
    tracemalloc.start()
    try:
        count = sum(len(piece) for piece in content(b"A: b\r\n", body))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == len(body) + 6 + 500_000 + 3
    assert peak < 5 * PIECE_BYTES
