from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.reply import Reply
from relay.upstream.replies import MAX_LINE_BYTES, MAX_REPLY_BYTES, BadReply, ReplyParser


def parsed(*pieces: bytes) -> list[Reply]:
    parser, found = ReplyParser(), list[Reply]()
    for piece in pieces:
        parser.feed(piece, found)
    return found


def test_a_reply_is_its_code_its_enhanced_code_and_its_text():
    assert parsed(b"250 2.1.5 ok\r\n") == [Reply(250, "1.5", "ok")]


def test_a_reply_of_several_lines_is_one_reply():
    got = parsed(b"550-5.1.1 no such\r\n550-5.1.1 user\r\n550 5.1.1 here\r\n")
    assert got == [Reply(550, "1.1", "no such\nuser\nhere")]


def test_pipelined_replies_come_out_in_order():
    got = parsed(b"250 a\r\n550-b\r\n550 c\r\n354 d\r\n")
    assert [(reply.code, reply.text) for reply in got] == [(250, "a"), (550, "b\nc"), (354, "d")]


def test_a_reply_needs_no_text_at_all():
    assert parsed(b"250\r\n250 \r\n") == [Reply(250, None, ""), Reply(250, None, "")]


def test_a_bare_line_feed_ends_a_line_too():
    assert parsed(b"250 ok\n") == [Reply(250, None, "ok")]


def test_text_that_is_no_utf8_is_replaced_and_does_no_harm():
    assert parsed(b"250 \xff\xfeok\r\n")[0].text.endswith("ok")


@given(st.lists(st.integers(1, 9), max_size=40))
def test_it_does_not_matter_where_the_stream_is_cut(sizes: list[int]):
    stream = b"250-2.0.0 one\r\n250 2.0.0 two\r\n451 4.7.1 later\r\n354 go\r\n"
    pieces, at = [], 0
    for size in sizes:
        pieces.append(stream[at : at + size])
        at += size
    assert parsed(*pieces, stream[at:]) == parsed(stream)


@pytest.mark.parametrize(
    "junk",
    [
        b"hello\r\n",
        b"\r\n",
        b"25 ok\r\n",
        b"250ok\r\n",
        b"150 preliminary\r\n",
        b"650 no such class\r\n",
        b"\x00\x01\x02\r\n",
        b"HTTP/1.1 400 Bad Request\r\n",
        b"250-one\r\n550 two\r\n",
        b"2\xb250 digits of other scripts\r\n",
        b"250-" + b"x" * MAX_LINE_BYTES + b"\r\n",
        b"x" * (MAX_LINE_BYTES + 1),
        b"250-0123456789012345678901234567890123456789\r\n" * (MAX_REPLY_BYTES // 40),
    ],
)
def test_what_is_no_reply_is_said_to_be_none(junk: bytes):
    with pytest.raises(BadReply):
        parsed(junk)


def test_a_large_reply_within_the_bounds_is_read():
    lines = b"".join(b"250-%s\r\n" % (b"x" * 500) for _ in range(100))
    assert len(parsed(lines + b"250 end\r\n")[0].text) == 100 * 501 + 3


def test_valid_replies_before_the_garbage_are_not_lost():
    parser = ReplyParser()
    got: list[Reply] = []
    with pytest.raises(BadReply):
        parser.feed(b"250 ok\r\nrubbish\r\n", got)
    assert got == [Reply(250, None, "ok")]


@given(st.binary(max_size=300))
def test_any_bytes_give_replies_or_bad_reply_and_nothing_else(noise: bytes):
    with suppress(BadReply):
        assert all(200 <= reply.code <= 599 for reply in parsed(noise))


def test_it_knows_whether_a_reply_has_begun():
    parser, found = ReplyParser(), list[Reply]()
    assert parser.is_between_replies
    for begun in (b"2", b"50-x\r\n"):
        parser.feed(begun, found)
        assert found == []
        assert not parser.is_between_replies
    parser.feed(b"250 y\r\n", found)
    assert len(found) == 1
    assert parser.is_between_replies
