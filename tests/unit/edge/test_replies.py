from __future__ import annotations

import logging

import pytest

from relay.core.errors import BadCredentials, StillUnderWay, UpstreamAnswered
from relay.core.reply import Reply
from relay.edge import replies
from relay.edge.replies import answer, bad_sequence, refusal_of, wire, with_ref


def test_an_error_of_the_tree_answers_for_itself_with_the_reference():
    assert str(answer(BadCredentials(), "r")).startswith("535 5.7.8 ")
    assert str(answer(StillUnderWay(), "r")).endswith(" [r]")
    refused = UpstreamAnswered(Reply(550, "1.1", "no such user"), "b@example.org")
    assert str(answer(refused, "r")) == "550 5.1.1 <b@example.org>: no such user [r]"


def test_what_nobody_foresaw_is_logged_and_not_told(caplog):
    with caplog.at_level(logging.ERROR):
        told = answer(ZeroDivisionError("at the core"), "ref1")
    assert str(told) == "451 4.3.0 temporary local problem, please try again later [ref1]"
    assert "ref1" in caplog.text
    assert "ZeroDivisionError: at the core" in caplog.text


def test_a_protocol_error_has_no_reference():
    assert "[" not in str(answer(bad_sequence("not now"), "r"))


async def test_a_step_that_goes_well_has_no_refusal():
    async def well() -> None:
        pass

    async def badly() -> None:
        raise OSError("disk")

    assert await refusal_of(well(), "r") is None
    refusal = await refusal_of(badly(), "r")
    assert refusal is not None
    assert refusal.code == 451


@pytest.mark.parametrize("detail", ["7.100", "100.100", "1.1"])
def test_a_long_text_makes_room_for_the_reference(detail):
    long = with_ref(Reply(450, detail, "y" * 700 + "\n" + "x" * 700), "abcdefghijklmnop")
    lines = wire(long).decode().splitlines(keepends=True)
    assert all(len(line) <= 512 for line in lines)
    assert lines[-1].endswith("x [abcdefghijklmnop]\r\n")


def test_an_enhanced_code_is_added_where_there_is_none():
    assert str(with_ref(Reply(550, None, "no"), "r")) == "550 5.0.0 no [r]"


def test_every_fixed_reply_has_an_enhanced_code_but_354():
    fixed = [value for value in vars(replies).values() if isinstance(value, Reply)]
    assert len(fixed) > 10
    assert [reply.code for reply in fixed if not reply.enhanced] == [354]
