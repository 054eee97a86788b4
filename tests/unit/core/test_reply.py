"""A reply on the wire."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.errors import UpstreamAnswered
from relay.core.reply import Reply, parse_reply


def test_the_enhanced_class_is_that_of_the_code():
    assert str(Reply(451, "7.1", "later")) == "451 4.7.1 later"
    assert str(Reply(550, "7.1", "no")) == "550 5.7.1 no"


def test_several_lines_carry_code_and_enhanced_code_on_each():
    assert Reply(250, "0.0", "one\ntwo").lines() == ["250-2.0.0 one", "250 2.0.0 two"]


def test_an_upstreams_reply_comes_out_as_it_went_in():
    text = "5.1.1 <x@y>: Recipient address rejected\n5.1.1 User unknown"
    assert Reply(550, "1.1", "x").enhanced == "5.1.1"
    assert parse_reply(550, text).lines() == [
        "550-5.1.1 <x@y>: Recipient address rejected",
        "550 5.1.1 User unknown",
    ]


def test_a_contradicting_enhanced_class_is_corrected():
    assert str(parse_reply(451, "5.7.1 odd")) == "451 4.7.1 odd"


def test_a_reply_without_enhanced_code_stays_without():
    assert str(parse_reply(250, "ok")) == "250 ok"


@pytest.mark.parametrize("text", ["5.188.10.4 is listed", "Blocked\n5.188.10.4 is listed"])
def test_an_address_at_the_start_of_a_line_is_no_enhanced_code(text):
    assert parse_reply(550, text) == Reply(550, None, text)
    assert parse_reply(550, f"5.7.1 Blocked\n{text}") == Reply(550, "7.1", f"Blocked\n{text}")


def test_an_enhanced_code_on_a_later_line_alone_is_the_replys():
    told = parse_reply(250, "ok, and\n2.6.0 queued as 1")
    assert told.lines() == ["250-2.6.0 ok, and", "250 2.6.0 queued as 1"]


@given(st.integers(200, 599), st.text(max_size=2000))
def test_no_text_can_add_a_line_or_a_control_character(code, text):
    for line in parse_reply(code, text).lines():
        assert len(line.encode()) <= 510
        assert line.isascii()
        assert line.isprintable()


@pytest.mark.parametrize("text", ["a\r\n250 injected", "a\x00b", "a\x0bb"])
def test_injection_by_text_stays_text(text):
    lines = Reply(451, "3.0", text).lines()
    assert all(line[:3] == "451" for line in lines)


def test_an_upstreams_421_does_not_end_the_clients_connection():
    assert str(UpstreamAnswered(Reply(421, "3.2", "busy")).reply()) == "451 4.3.2 busy"
    assert str(UpstreamAnswered(Reply(550, "1.1", "no"), "x@y.example").reply()) == (
        "550 5.1.1 <x@y.example>: no"
    )
