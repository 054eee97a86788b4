"""What happened lately is told without anybody's address."""

from __future__ import annotations

import pytest

from relay.core.status.recent import MOST_TEXT, without_addresses


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("<bob@example.com>: user unknown", "<…>: user unknown"),
        ("no mailbox bob.o'hara+x@mail.example.com here", "no mailbox … here"),
        ("ünïcode@bücher.example is full", "… is full"),
        ("500 of 500 sent today", "500 of 500 sent today"),
    ],
)
def test_addresses_are_taken_out(said, told):
    assert without_addresses(said) == told


def test_a_long_reply_is_cut():
    assert len(without_addresses("x " * 1000)) == MOST_TEXT
