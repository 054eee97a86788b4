"""What an upstream says, up to what our client hears of it: nothing can add a line."""

from __future__ import annotations

import re
from typing import Any

from relay.core.errors import UpstreamAnswered
from relay.core.reply import Reply
from relay.edge.replies import answer, wire
from relay.upstream.replies import BadReply, ReplyParser

SEEDS = (
    b"250 2.0.0 Ok\r\n",
    b"250-one\r\n250-two\r\n250 three\r\n",
    b"550 5.1.1 no\r550 such\x0b user\x85\r\n",
    b"421 bye\n220 hello\n",
    b"451-4.7.1 a\r\n451 4.7.1 b\r\n",
    b"550 " + b"x" * 600 + b"\r\n",
    "550 5.1.1 Empfänger\u2028unbekannt\r\n".encode(),
)
DICTIONARY = (b"250-", b"550 5.1.1 ", b"\r\n", b"\xe2\x80\xa8", b"\x85", b"\x1c")
_LINE = re.compile(
    rb"[2-5][0-9]{2}[ -](?:[245]\.\d{1,3}\.\d{1,3})?[\x20-\x7e]*\r\n|[2-5][0-9]{2}\r\n"
)


def run(data: bytes) -> None:
    """In any two pieces the same replies, and each of them well formed on our side."""
    whole = _replies(data)
    cut = data[0] if data else 0
    assert _replies(data[:cut], data[cut:]) == whole
    for reply in whole:
        if isinstance(reply, Reply):
            _check(reply)


def _replies(*pieces: bytes) -> list[Reply | str]:
    parser, found = ReplyParser(), list[Any]()
    try:
        for piece in pieces:
            parser.feed(piece, found)
    except BadReply:
        found.append("bad")
    return found


def _check(reply: Reply) -> None:
    sent = wire(answer(UpstreamAnswered(reply, "a@b.example"), "0123456789abcdef"))
    lines = sent.splitlines(keepends=True)
    assert all(_LINE.fullmatch(line) and len(line) <= 512 for line in lines), sent
    marks = [line[3:4] for line in lines]
    assert marks[:-1] == [b"-"] * (len(lines) - 1)
    assert marks[-1] != b"-"
    assert lines[-1].endswith(b"[0123456789abcdef]\r\n")
    assert len({line[:3] for line in lines}) == 1
