from __future__ import annotations

import re
import time
from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.errors import BareNewline, MessageTooBig
from relay.edge.data import Content, Overrun, has_bare_newline, unstuffed


def read(wire: bytes, cuts: list[int] | None = None, limit: int = 10_000) -> tuple[bytes, bytes]:
    """The message in `wire`, fed in pieces, and what came after it."""
    content = Content(limit)
    edges = [0, *sorted(min(cut, len(wire)) for cut in cuts or []), len(wire)]
    for at, (start, end) in enumerate(pairwise(edges)):
        rest = content.feed(wire[start:end])
        if rest is not None:
            return content.message(), rest + b"".join(
                wire[a:b] for a, b in pairwise(edges[at + 1 :])
            )
    raise AssertionError("no end")


@pytest.mark.parametrize(
    ("wire", "message"),
    [
        (b".\r\n", b""),
        (b"\r\n.\r\n", b"\r\n"),
        (b"a\r\n.\r\n", b"a\r\n"),
        (b"..\r\n.\r\n", b".\r\n"),
        (b"...\r\n..a\r\n.\r\n", b"..\r\n.a\r\n"),
        (b".a\r\n.\r\n", b"a\r\n"),
        (b"a\r\n..\r\n\r\n..b\r\n.\r\n", b"a\r\n.\r\n\r\n.b\r\n"),
        (b"a.\r\n.\r\n", b"a.\r\n"),
        (b"\0\xff\r\n.\r\n", b"\0\xff\r\n"),
    ],
)
def test_content_ends_at_the_lone_dot_and_loses_its_stuffing(wire, message):
    for cut in range(len(wire)):
        assert read(wire + b"NOOP\r\n", [cut]) == (message, b"NOOP\r\n")


@given(
    st.lists(st.sampled_from([b"", b".", b"..", b"a", b".a", b"a.", b"\0"]), max_size=12),
    st.lists(st.integers(0, 80), max_size=8),
)
def test_any_message_survives_any_division_into_pieces(lines, cuts):
    message = b"".join(line + b"\r\n" for line in lines)
    stuffed = re.sub(rb"(?m)^\.", b"..", message)
    assert read(stuffed + b".\r\nQUIT\r\n", cuts) == (message, b"QUIT\r\n")


@given(st.binary(max_size=40).map(lambda data: bytes(b"\r\n.a"[byte % 4] for byte in data)))
def test_the_end_is_the_first_crlf_dot_crlf_and_no_other(noise):
    end = (b"\r\n" + noise).find(b"\r\n.\r\n")
    for size in (1, 2, 3, 7, 100):
        content = Content(1000)
        rests = [content.feed(noise[at : at + size]) for at in range(0, len(noise), size)]
        found = [at for at, rest in enumerate(rests) if rest is not None]
        if end < 0:
            assert found == []
        else:
            taken = end + 3
            assert found[0] == (taken - 1) // size
        if found:
            break


def test_a_message_may_be_as_long_as_the_limit_and_no_longer():
    line = b".\r\n"
    wire = b"." + line
    assert read(wire * 10 + b".\r\n", limit=30)[0] == line * 10
    with pytest.raises(MessageTooBig) as refused:
        read(wire * 10 + b"\r\n.\r\n", limit=30)
    assert str(refused.value.reply()).startswith("552 5.3.4")


def test_what_is_too_long_is_not_kept_and_far_too_long_is_not_read():
    content = Content(1000)
    assert content.feed(b"x" * 1500) is None
    assert content._pieces == []
    assert content.feed(b"\r\n.\r\nNOOP\r\n") == b"NOOP\r\n"
    with pytest.raises(MessageTooBig):
        content.message()
    content = Content(1000)
    for _ in range(20):
        assert content.feed(b"x" * 100) is None
    with pytest.raises(Overrun):
        content.feed(b"x" * 100)


@pytest.mark.parametrize(
    "wrong", [b"\n", b"\r", b"a\nb\r\n", b"a\rb\r\n", b"\r\r\n", b"\n\r\n", b"\r\n\r"]
)
def test_a_line_end_is_crlf_and_nothing_else(wrong):
    assert has_bare_newline(wrong + b"a")
    content = Content(1000)
    assert content.feed(wrong + b"\r\n.\r\n") == b""
    with pytest.raises(BareNewline):
        content.message()


def outcome(pieces: list[bytes]) -> bytes | type:
    content = Content(1000)
    for piece in pieces:
        assert content.feed(piece) in {None, b""}
    try:
        return content.message()
    except BareNewline:
        return BareNewline


def test_where_it_is_cut_makes_no_difference():
    texts = [b"".join(parts) for parts in product((b"\r", b"\n", b"\r\n", b".", b"a"), repeat=4)]
    for text in texts:
        wire = text + b"\r\n.\r\n"
        if b"\r\n.\r\n" in (b"\r\n" + wire)[:-5] or (b"\r\n" + wire).find(b"\r\n.\r\n") < len(text):
            continue  # it ends earlier
        whole = outcome([wire])
        assert outcome([bytes([byte]) for byte in wire]) == whole
        for at in range(1, len(wire)):
            assert outcome([wire[:at], wire[at:]]) == whole
        if whole is not BareNewline:
            message = (text + b"\r\n").removeprefix(b".").replace(b"\r\n.", b"\r\n")
            assert whole == message
            lines = message.split(b"\r\n")
            assert not any(b"\r" in line or b"\n" in line for line in lines)


def test_crlf_alone_is_no_bare_newline():
    assert not has_bare_newline(b"")
    assert not has_bare_newline(b"\r\n\r\na\r\n")
    assert unstuffed(b"a") == b"a"


def test_the_worst_content_takes_linear_time():
    wire = b"..\r\n" * 1_000_000 + b".\r\n"
    began = time.perf_counter()
    content = Content(len(wire))
    for at in range(0, len(wire), 65_536):
        content.feed(wire[at : at + 65_536])
    assert len(content.message()) == 3_000_000
    assert time.perf_counter() - began < 2  # it takes 0.1 s; quadratic would be hours
