from __future__ import annotations

import re
import time
from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.config import Limits
from relay.core.errors import BareNewline, MessageTooBig, NoMemory
from relay.edge.data import Content, Overrun, has_bare_newline, unstuffed
from relay.edge.memory import Memory


def content_of(limit_bytes: int) -> Content:
    return Content(limit_bytes, Memory(Limits(message_bytes=limit_bytes)))


def read(wire: bytes, cuts: list[int] | None = None, limit: int = 10_000) -> tuple[bytes, bytes]:
    """The message in `wire`, fed in pieces, and what came after it."""
    content = content_of(limit)
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
        content = content_of(1000)
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
    content = content_of(1000)
    assert content.feed(b"x" * 1500) is None
    assert content._pieces == []
    assert content.feed(b"\r\n.\r\nNOOP\r\n") == b"NOOP\r\n"
    with pytest.raises(MessageTooBig):
        content.message()
    content = content_of(1000)
    for _ in range(20):
        assert content.feed(b"x" * 100) is None
    with pytest.raises(Overrun):
        content.feed(b"x" * 100)


@pytest.mark.parametrize(
    "wrong", [b"\n", b"\r", b"a\nb\r\n", b"a\rb\r\n", b"\r\r\n", b"\n\r\n", b"\r\n\r"]
)
def test_a_line_end_is_crlf_and_nothing_else(wrong):
    assert has_bare_newline(wrong + b"a")
    content = content_of(1000)
    assert content.feed(wrong + b"\r\n.\r\n") == b""
    with pytest.raises(BareNewline):
        content.message()


def outcome(pieces: list[bytes]) -> bytes | type:
    content = content_of(1000)
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
    content = content_of(len(wire))
    for at in range(0, len(wire), 65_536):
        content.feed(wire[at : at + 65_536])
    assert len(content.message()) == 3_000_000
    assert time.perf_counter() - began < 2  # it takes 0.1 s; quadratic would be hours


LINE = b"x" * 98 + b"\r\n"


def sharing(memory: Memory, size_bytes: int, *, limit_bytes: int = 1000) -> Content:
    """One that has taken in so much of `memory`, and has not ended."""
    content = Content(limit_bytes, memory)
    for _ in range(size_bytes // len(LINE)):
        assert content.feed(LINE) is None
    return content


def outcome_of(content: Content) -> type | int:
    assert content.feed(b".\r\n") == b""
    try:
        return len(content.message())
    except (NoMemory, MessageTooBig) as error:
        return type(error)
    finally:
        content.drop()


def test_a_message_gets_as_much_as_the_others_have_left_free():
    memory = Memory(Limits(message_bytes=1000, memory_bytes=3000))
    first, second = sharing(memory, 1000), sharing(memory, 600)
    assert memory.held_bytes == 1600
    assert outcome_of(sharing(memory, 700)) == 700
    assert outcome_of(sharing(memory, 800)) is NoMemory
    assert outcome_of(first) == 1000
    assert outcome_of(sharing(memory, 800)) == 800
    assert outcome_of(second) == 600
    assert memory.held_bytes == 0


def test_what_finds_no_room_gives_back_at_once_what_it_had_and_asks_for_no_more():
    memory = Memory(Limits(message_bytes=1000, memory_bytes=3000))
    first, second = sharing(memory, 1000), sharing(memory, 1000)
    third = sharing(memory, 800)
    assert memory.held_bytes == 2000
    assert third._pieces == []
    assert outcome_of(first) == 1000
    assert outcome_of(third) is NoMemory
    assert outcome_of(second) == 1000


def test_the_largest_message_fits_alone_however_little_memory_there_is_to_be():
    memory = Memory(Limits(message_bytes=1000, memory_bytes=1))
    content = Content(1000, memory)
    assert content.feed(b"..\r\n" * 333 + b".\r\n") == b""
    assert len(content.message()) == 999
    content.drop()
    assert outcome_of(sharing(memory, 1000)) == 1000


def test_what_is_too_large_is_told_so_and_not_to_come_again():
    memory = Memory(Limits(message_bytes=1000, memory_bytes=3000))
    first, second = sharing(memory, 1000), sharing(memory, 1000)
    assert outcome_of(sharing(memory, 1900)) is MessageTooBig
    first.drop()
    second.drop()
    second.drop()
    assert memory.held_bytes == 0
