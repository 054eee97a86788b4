"""Kept connections that died unseen, hosts that are dead, and deliveries that are cancelled."""

from __future__ import annotations

import asyncio

import pytest

from relay.ports.upstream import Lacks, SaidNo, Taken, Unknown, Unreachable
from tests.harness.smtp_script import (
    Act,
    Then,
    close,
    garbage,
    half_close,
    late,
    refuse,
    reset,
    stall,
)
from tests.harness.smtp_sink import Offers, Sink
from tests.unit.upstream.given import outgoing, upstream

DEATHS = {
    "421": refuse("421 4.4.2 idle too long", close=True),
    "421 and open": refuse("421 4.4.2 idle too long"),
    "reset": reset(),
    "close": close(),
    "half-close": half_close(),
    "stall": stall(),
    "garbage": garbage(),
}


@pytest.mark.parametrize("offers", [Offers(), Offers(pipelining=False)], ids=["piped", "stepped"])
@pytest.mark.parametrize("act", DEATHS.values(), ids=DEATHS.keys())
async def test_a_kept_connection_that_is_dead_at_mail_is_replaced_once(act: Act, offers: Offers):
    patience_s = 0.5 if act == stall() else 5.0
    async with Sink(offers) as sink, upstream(sink.port, command_timeout_s=patience_s) as up:
        assert isinstance(await up.deliver(outgoing()), Taken)
        sink.script.add("MAIL", act.once())
        assert isinstance(await up.deliver(outgoing()), Taken)
        assert (sink.connections, len(sink.messages)) == (2, 2)
        assert isinstance(await up.deliver(outgoing()), Taken)
        assert sink.connections == 2


async def test_only_once():
    async with Sink() as sink, upstream(sink.port) as up:
        assert isinstance(await up.deliver(outgoing()), Taken)
        sink.script.add("MAIL", close())
        assert isinstance(await up.deliver(outgoing()), Unreachable)
        assert sink.verbs().count("MAIL") == 3


FAREWELLS = [
    (b"421 4.4.2 idle too long\r\n", True),
    (b"421 4.4.2 idle too long\r\n", False),
    (b"", True),
    (b"250 what?\r\n", False),
    (b"25", False),
]


@pytest.mark.parametrize(("farewell", "closes"), FAREWELLS)
async def test_a_connection_that_spoke_or_closed_while_idle_is_not_used(
    farewell: bytes, closes: bool
):
    async with Sink() as sink, upstream(sink.port) as up:
        assert isinstance(await up.deliver(outgoing()), Taken)
        await sink.say(farewell, close=closes)
        assert isinstance(await up.deliver(outgoing()), Taken)
        assert sink.verbs(connection=1).count("MAIL") == 1
        assert (sink.connections, len(sink.messages)) == (2, 2)


async def test_an_upstream_that_restarted_costs_nobody_a_message():
    async with Sink() as sink, upstream(sink.port, connections=10) as up:
        await asyncio.gather(*(up.deliver(outgoing()) for _ in range(10)))
        await sink.drop()
        outcomes = await asyncio.gather(*(up.deliver(outgoing()) for _ in range(10)))
        assert all(isinstance(outcome, Taken) for outcome in outcomes), outcomes
        assert len(sink.messages) == 20


@pytest.mark.parametrize("act", [reset(), close(), stall(), garbage()])
async def test_a_kept_connection_that_dies_after_the_dot_is_unknown_and_not_tried_again(act: Act):
    async with Sink() as sink, upstream(sink.port, final_timeout_s=0.3) as up:
        assert isinstance(await up.deliver(outgoing()), Taken)
        sink.script.add("DOT", act)
        assert isinstance(await up.deliver(outgoing()), Unknown)
        assert (sink.connections, len(sink.messages)) == (1, 2)


@pytest.mark.parametrize("verb", ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA"])
async def test_the_next_host_takes_what_the_first_one_cannot(verb: str):
    async with Sink() as first, Sink() as second:
        first.script.add(verb, close())
        async with upstream(first.port, second.port) as up:
            assert isinstance(await up.deliver(outgoing()), Taken)
    assert (len(first.messages), len(second.messages)) == (0, 1)


async def test_a_421_at_the_first_host_goes_to_the_next():
    async with Sink() as first, Sink() as second:
        first.script.add("MAIL", refuse("421 4.3.2 busy", close=True))
        async with upstream(first.port, second.port) as up:
            assert isinstance(await up.deliver(outgoing()), Taken)
    assert (len(first.messages), len(second.messages)) == (0, 1)


async def test_a_refusal_by_the_first_host_is_final():
    async with Sink() as first, Sink() as second:
        first.script.add("RCPT", refuse("550 5.1.1 no such user"))
        async with upstream(first.port, second.port) as up:
            assert isinstance(await up.deliver(outgoing()), SaidNo)
    assert second.connections == 0


async def test_what_a_host_lacks_is_asked_of_the_next():
    async with Sink(Offers(smtputf8=False)) as first, Sink() as second:
        async with upstream(first.port, second.port) as up:
            assert isinstance(await up.deliver(outgoing("ü@example.net")), Taken)
        assert (len(first.messages), len(second.messages)) == (0, 1)
        async with upstream(first.port) as up:
            assert await up.deliver(outgoing("ü@example.net")) == Lacks("SMTPUTF8")


@pytest.mark.parametrize("lacking", [Offers(smtputf8=False), Offers(size_bytes=50)])
async def test_what_one_host_lacks_may_be_had_later_of_one_that_is_down(lacking):
    async with Sink() as first, Sink(lacking) as second:
        first.script.add("CONNECT", close().once())
        async with upstream(first.port, second.port) as up:
            assert isinstance(await up.deliver(outgoing("ü@example.net")), Unreachable)
            assert isinstance(await up.deliver(outgoing("ü@example.net")), Taken)
    assert (len(first.messages), len(second.messages)) == (1, 0)


async def test_an_unknown_outcome_is_never_tried_at_the_next_host():
    async with Sink() as first, Sink() as second:
        first.script.add("DOT", close())
        async with upstream(first.port, second.port) as up:
            assert isinstance(await up.deliver(outgoing()), Unknown)
    assert (len(first.messages), second.connections) == (1, 0)


async def test_a_dead_host_is_remembered_and_not_asked_every_time():
    async with Sink() as first, Sink() as second:
        first.script.add("CONNECT", refuse("554 5.3.2 not today", close=True))
        async with upstream(first.port, second.port) as up:
            for _ in range(5):
                assert isinstance(await up.deliver(outgoing()), Taken)
    assert (first.connections, second.connections) == (1, 1)
    assert len(second.messages) == 5


async def test_when_every_host_is_dead_it_says_what_was_wrong_with_each():
    async with Sink() as first, Sink() as second:
        first.script.add("CONNECT", refuse("554 5.3.2 not today"))
        second.script.add("EHLO", close())
        async with upstream(first.port, second.port) as up:
            outcome = await up.deliver(outgoing())
            probed = await up.probe()
    assert isinstance(outcome, Unreachable)
    for text in (outcome.why, probed or ""):
        assert "554 5.3.2 not today" in text
        assert str(second.port) in text


@pytest.mark.parametrize("verb", ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "BODY", "DOT"])
async def test_a_cancelled_delivery_leaves_no_half_transaction_behind(verb: str):
    body = b"\r\n" + b"a line of text\r\n" * 600_000
    async with Sink(Offers(pipelining=False)) as sink:
        async with upstream(sink.port, connections=1) as up:
            sink.script.add(verb, late(1.0).once())
            if verb == "BODY":
                sink.script.clear()
                sink.script.add("BODY", Act(b"", Then.STALL).once())
            delivery = asyncio.create_task(up.deliver(outgoing(body=body)))
            await asyncio.sleep(0.1)
            delivery.cancel()
            with pytest.raises(asyncio.CancelledError):
                await delivery
            assert isinstance(await up.deliver(outgoing("next@x.example")), Taken)
        assert sink.connections == 2, "the one that was cut, and a fresh one"
        assert sink.verbs(connection=2) == ["EHLO", "MAIL", "RCPT", "DATA", "QUIT"]
    assert [message.rcpts for message in sink.messages[-1:]] == [["next@x.example"]]
    assert len(sink.messages) <= (2 if verb == "DOT" else 1)
