"""What can go wrong × where: the outcome must never be kinder than what was proven.

Taken and SaidNo need a valid reply; Unreachable needs proof that the final dot was not sent;
everything else is Unknown. Each case also checks what the upstream really took.
"""

from __future__ import annotations

import asyncio
import socket
import time

import pytest

from relay.ports.upstream import SaidNo, Taken, Unknown, Unreachable
from tests.harness.smtp_script import (
    Act,
    Then,
    close,
    doubled,
    endless_line,
    flood,
    garbage,
    half_close,
    late,
    refuse,
    reset,
    split,
    stall,
)
from tests.harness.smtp_sink import Offers, Sink
from tests.unit.upstream.given import outgoing, upstream

BEFORE_THE_DOT = ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA"]
LOST = {
    "reset": reset(),
    "close": close(),
    "stall": stall(),
    "half-close": half_close(),
    "garbage": garbage(),
    "endless line": endless_line(),
    "reply of more than 64 KiB": flood(66_000),
    "1xx": refuse("150 hold on"),
    "6xx": refuse("650 what"),
}
OFFERS = [Offers(), Offers(pipelining=False)]


@pytest.mark.parametrize("offers", OFFERS, ids=["pipelining", "step by step"])
@pytest.mark.parametrize("act", LOST.values(), ids=LOST.keys())
@pytest.mark.parametrize("verb", BEFORE_THE_DOT)
async def test_trouble_before_the_final_dot_is_unreachable(verb: str, act: Act, offers: Offers):
    async with Sink(offers) as sink:
        sink.script.add(verb, act)
        if verb == "EHLO":
            sink.script.add("HELO", act)
        async with upstream(sink.port, command_timeout_s=0.15, connect_timeout_s=0.15) as up:
            outcome = await up.deliver(outgoing())
        assert isinstance(outcome, Unreachable), outcome
        assert outcome.why
        assert sink.messages == []


@pytest.mark.parametrize("act", LOST.values(), ids=LOST.keys())
async def test_trouble_instead_of_an_answer_to_the_final_dot_is_unknown(act: Act):
    async with Sink() as sink:
        sink.script.add("DOT", act)
        async with upstream(sink.port, final_timeout_s=0.3) as up:
            outcome = await up.deliver(outgoing())
        assert isinstance(outcome, Unknown), outcome
        assert sink.connections == 1, "never tried again"
        assert len(sink.messages) == 1, "this is why it is charged"


@pytest.mark.parametrize("reply", ["354 go ahead", "334 what", "150 wait", "999 odd", "ok"])
async def test_an_answer_to_the_final_dot_that_decides_nothing_is_unknown(reply: str):
    async with Sink() as sink, upstream(sink.port) as up:
        sink.script.add("DOT", refuse(reply).once())
        assert isinstance(await up.deliver(outgoing()), Unknown)
        assert isinstance(await up.deliver(outgoing()), Taken), "over a fresh connection"
        assert sink.connections == 2


@pytest.mark.parametrize("offers", OFFERS, ids=["pipelining", "step by step"])
@pytest.mark.parametrize("code", ["450 4.2.0", "452 4.5.3", "550 5.1.1", "554 5.7.1", "502 5.5.1"])
@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA", "DOT"])
async def test_a_refusal_is_passed_on_as_it_is(verb: str, code: str, offers: Offers):
    async with Sink(offers) as sink, upstream(sink.port) as up:
        sink.script.add(verb, refuse(f"{code} because").once())
        outcome = await up.deliver(outgoing("to@x.example"))
        assert isinstance(outcome, SaidNo), outcome
        assert str(outcome.answer) == f"{code} because"
        assert outcome.recipient == ("to@x.example" if verb == "RCPT" else None)
        assert sink.messages == []
        assert isinstance(await up.deliver(outgoing()), Taken)


@pytest.mark.parametrize("then", [Then.GO_ON, Then.CLOSE, Then.RESET])
@pytest.mark.parametrize("verb", ["RCPT", "DATA", "DOT"])
async def test_a_421_in_the_middle_is_a_refusal_and_ends_the_connection(verb: str, then: Then):
    async with Sink(Offers(pipelining=False)) as sink, upstream(sink.port) as up:
        sink.script.add(verb, Act(b"421 4.3.2 going down\r\n", then).once())
        outcome = await up.deliver(outgoing())
        if then is Then.RESET and not isinstance(outcome, SaidNo):
            # A reset may overtake the reply; what is proven decides.
            assert isinstance(outcome, Unknown if verb == "DOT" else Unreachable)
        else:
            assert str(outcome.answer) == "421 4.3.2 going down"
        assert sink.messages == []
        assert isinstance(await up.deliver(outgoing()), Taken)
        assert sink.connections == 2


@pytest.mark.parametrize("reply", ["421 4.3.2 busy", "554 5.7.1 go away", "450 4.7.1 later"])
async def test_a_refused_greeting_is_unreachable_and_says_why(reply: str):
    async with Sink() as sink, upstream(sink.port) as up:
        sink.script.add("CONNECT", refuse(reply, close=True))
        outcome = await up.deliver(outgoing())
    assert isinstance(outcome, Unreachable)
    assert reply in outcome.why


async def test_a_421_at_mail_everywhere_is_passed_on():
    async with Sink() as sink, upstream(sink.port) as up:
        sink.script.add("MAIL", refuse("421 4.7.0 too many", close=True))
        outcome = await up.deliver(outgoing())
    assert isinstance(outcome, SaidNo)
    assert str(outcome.answer) == "421 4.7.0 too many"


BODY = b"\r\n" + b"a line of text\r\n" * 400_000


@pytest.mark.parametrize("after_bytes", [1, 100_000, 3_000_000])
async def test_an_answer_in_the_middle_of_the_content_is_the_answer(after_bytes: int):
    early = Act(b"552 5.3.4 too big\r\n", after_bytes=after_bytes)
    async with Sink() as sink, upstream(sink.port) as up:
        sink.script.add("BODY", early.once())
        outcome = await up.deliver(outgoing(body=BODY))
        assert isinstance(outcome, SaidNo), outcome
        assert str(outcome.answer) == "552 5.3.4 too big"
        assert sink.messages == []
        assert isinstance(await up.deliver(outgoing()), Taken)
        assert sink.connections == 2


async def test_an_early_answer_that_is_followed_by_a_close_is_never_taken_for_success():
    refused = 0
    async with Sink() as sink, upstream(sink.port) as up:
        sink.script.add("BODY", Act(b"552 5.3.4 too big\r\n", Then.CLOSE, after_bytes=100_000))
        for _ in range(10):
            outcome = await up.deliver(outgoing(body=BODY))
            assert isinstance(outcome, SaidNo | Unreachable), outcome
            refused += isinstance(outcome, SaidNo)
        assert sink.messages == []
    assert refused >= 8, "a reset may overtake the reply, but seldom does"


CUT = {"reset": reset(), "close": close(), "stall": stall(), "garbage": garbage()}


@pytest.mark.parametrize("act", CUT.values(), ids=CUT.keys())
async def test_a_connection_lost_in_the_middle_of_the_content_is_unreachable(act: Act):
    async with Sink() as sink, upstream(sink.port, data_timeout_s=0.3) as up:
        sink.script.add("BODY", act)
        outcome = await up.deliver(outgoing(body=BODY * 3))
        assert isinstance(outcome, Unreachable), outcome
        assert sink.messages == []


async def test_a_success_before_the_message_is_complete_is_no_success():
    async with Sink() as sink, upstream(sink.port) as up:
        sink.script.add("BODY", Act(b"250 2.0.0 queued already\r\n", Then.STALL))
        assert isinstance(await up.deliver(outgoing(body=BODY)), Unreachable)
        sink.script.clear()
        sink.script.add("DATA", doubled("354 go ahead").once())
        assert isinstance(await up.deliver(outgoing()), Unreachable)
        assert sink.messages == []


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA"])
async def test_one_reply_too_many_never_shifts_the_answers(verb: str):
    usual = {"MAIL": "250 ok", "RCPT": "250 ok", "DATA": "354 go"}[verb]
    async with Sink(Offers(pipelining=False)) as sink, upstream(sink.port) as up:
        sink.script.add("DOT", refuse("554 5.7.1 spam"))
        sink.script.add(verb, doubled(usual))
        outcome = await up.deliver(outgoing())
        assert isinstance(outcome, Unreachable), outcome
        assert sink.messages == []


async def test_one_reply_too_many_after_the_last_ends_the_connection():
    async with Sink() as sink, upstream(sink.port) as up:
        sink.script.add("DOT", doubled("250 2.0.0 taken").once())
        assert isinstance(await up.deliver(outgoing()), Taken)
        assert isinstance(await up.deliver(outgoing()), Taken)
        assert (sink.connections, len(sink.messages)) == (2, 2)


async def test_a_large_reply_and_slow_replies_are_waited_for():
    async with Sink() as sink, upstream(sink.port) as up:
        sink.script.add("MAIL", late(0.2))
        sink.script.add("RCPT", split())
        sink.script.add("DOT", flood(60_000))
        outcome = await up.deliver(outgoing())
        assert isinstance(outcome, Taken)
        assert outcome.answer.text.endswith("end")


async def read_slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 hi\r\n")
    for answer in (b"250 HELP\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"):
        await reader.readline()
        writer.write(answer)
    tail = b""
    while not tail.endswith(b"\r\n.\r\n"):
        tail = (tail + await reader.read(65_536))[-5:]
        await asyncio.sleep(0.01)
    writer.write(b"250 2.0.0 at last\r\n")
    await reader.read()
    writer.close()


async def test_a_slow_reader_is_waited_for_as_long_as_it_reads():
    listener = socket.create_server(("127.0.0.1", 0))
    # A small window, so that the kernel reports progress in small steps as well.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    server = await asyncio.start_server(read_slowly, sock=listener, limit=32_768)
    port = server.sockets[0].getsockname()[1]
    async with server, upstream(port, data_timeout_s=0.6, final_timeout_s=5.0) as up:
        began = time.monotonic()
        outcome = await up.deliver(outgoing(body=BODY))
        took_s = time.monotonic() - began
    assert isinstance(outcome, Taken), outcome
    assert took_s > 0.6, "longer than the deadline, which each progress re-arms"


async def test_nobody_there_is_unreachable():
    async with Sink() as sink:
        port = sink.port
    async with upstream(port) as up:
        outcome = await up.deliver(outgoing())
        assert isinstance(outcome, Unreachable)
        assert str(port) in outcome.why
        assert str(port) in (await up.probe() or "")
