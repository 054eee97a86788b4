"""One message over SMTP to an upstream that behaves, on both event loops."""

from __future__ import annotations

import asyncio
import hashlib
import sys
import tracemalloc
from pathlib import Path

import pytest

from relay.core.mail.message import Recipient
from relay.ports.upstream import Lacks, SaidNo, Taken
from tests.harness.ports import free_port, is_listening
from tests.harness.processes import Child
from tests.harness.smtp_ledger import entries
from tests.harness.smtp_script import refuse, split
from tests.harness.smtp_sink import Offers, Sink
from tests.harness.waiting import until
from tests.unit.upstream.given import HEAD, Counting, outgoing, upstream
from tests.unit.upstream.loops import on_both_loops


@on_both_loops
async def test_a_message_arrives_byte_for_byte_and_the_answer_is_the_upstreams():
    body = b"\r\n.\r\n..two\r\n.x\r\nplain \xff\x00 bytes\r\n\r\n"
    async with Sink() as sink, upstream(sink.port) as up:
        outcome = await up.deliver(outgoing("a@x.example", "b@y.example", body=body))
    assert isinstance(outcome, Taken)
    assert str(outcome.answer) == "250 2.0.0 Ok: queued"
    [message] = sink.messages
    assert message.content == HEAD + body
    assert message.mail_from == "bounce@news.example"
    assert message.rcpts == ["a@x.example", "b@y.example"]


@on_both_loops
@pytest.mark.parametrize("size", [0, 1, 262_143, 262_144, 262_145, 262_146, 262_147, 600_000])
async def test_dot_lines_survive_wherever_the_pieces_are_cut(size: int):
    filler = b"x" * max(0, size - len(HEAD) - 2)
    body = b"\r\n" + filler + b"\r\n.\r\n..\r\n.end\r\n"
    async with Sink() as sink, upstream(sink.port) as up:
        assert isinstance(await up.deliver(outgoing(body=body)), Taken)
    assert sink.messages[0].content == HEAD + body


@on_both_loops
async def test_a_message_without_a_final_crlf_arrives_with_one():
    async with Sink() as sink, upstream(sink.port) as up:
        await up.deliver(outgoing(body=b"\r\nno end"))
    assert sink.messages[0].content == HEAD + b"\r\nno end\r\n"


@on_both_loops
async def test_with_pipelining_and_one_recipient_it_is_two_writes():
    async with Sink() as sink, upstream(sink.port) as up:
        await up.deliver(outgoing())
    behind_mail = len(b"RCPT TO:<to@example.net>\r\nDATA\r\n")
    assert sink.ahead[1:4] == [("MAIL", behind_mail), ("RCPT", len(b"DATA\r\n")), ("DATA", 0)]


@on_both_loops
async def test_replies_that_trickle_in_byte_by_byte_are_understood():
    async with Sink() as sink, upstream(sink.port) as up:
        for verb in ("CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "DOT"):
            sink.script.add(verb, split())
        assert isinstance(await up.deliver(outgoing()), Taken)
        assert isinstance(await up.deliver(outgoing("a@x.example", "b@x.example")), Taken)
    assert sink.connections == 1


@on_both_loops
@pytest.mark.parametrize("offers", [Offers(), Offers(pipelining=False)])
async def test_nothing_is_sent_when_one_of_several_recipients_is_refused(offers: Offers):
    async with Sink(offers) as sink, upstream(sink.port) as up:
        sink.script.add("RCPT", refuse("550 5.1.1 no such user").at(b"bad@"))
        refused = await up.deliver(outgoing("a@x.example", "bad@x.example", "bad@y.example"))
        taken = await up.deliver(outgoing("a@x.example"))
    assert isinstance(refused, SaidNo)
    assert (str(refused.answer), refused.recipient) == ("550 5.1.1 no such user", "bad@x.example")
    assert isinstance(taken, Taken)
    assert [message.rcpts for message in sink.messages] == [["a@x.example"]]
    assert sink.connections == 1, "RSET makes the connection good again"
    assert sink.verbs().count("DATA") == 1


@on_both_loops
@pytest.mark.parametrize("offers", [Offers(), Offers(pipelining=False)])
async def test_a_refused_sender_is_answered_with_the_refusal_of_the_sender(offers: Offers):
    async with Sink(offers) as sink, upstream(sink.port) as up:
        sink.script.add("MAIL", refuse("550 5.7.1 not you").once())
        refused = await up.deliver(outgoing("a@x.example", "b@x.example"))
        assert isinstance(await up.deliver(outgoing()), Taken)
    assert refused == SaidNo(refused.answer, None)
    assert str(refused.answer) == "550 5.7.1 not you"
    assert sink.connections == 1


@on_both_loops
async def test_a_refused_message_leaves_the_connection_in_use():
    async with Sink() as sink, upstream(sink.port) as up:
        sink.script.add("DOT", refuse("554 5.7.1 looks like spam").once())
        refused = await up.deliver(outgoing())
        assert isinstance(await up.deliver(outgoing()), Taken)
    assert str(refused.answer) == "554 5.7.1 looks like spam"
    assert (sink.connections, len(sink.messages)) == (1, 1)


@on_both_loops
async def test_a_connection_that_takes_its_leave_is_not_used_again():
    async with Sink() as sink, upstream(sink.port) as up:
        sink.script.add("DOT", refuse("421 4.3.2 going down").once())
        refused = await up.deliver(outgoing())
        assert isinstance(await up.deliver(outgoing()), Taken)
    assert str(refused.answer) == "421 4.3.2 going down"
    assert (sink.connections, len(sink.messages)) == (2, 1)


@on_both_loops
async def test_a_data_that_is_answered_354_after_a_refusal_is_never_completed():
    async with Sink() as sink, upstream(sink.port) as up:
        sink.script.add("RCPT", refuse("550 5.1.1 no").once())
        sink.script.add("DATA", refuse("354 go on anyway").once())
        async with asyncio.timeout(2):
            assert isinstance(await up.deliver(outgoing()), SaidNo)
        assert sink.messages == []
        assert isinstance(await up.deliver(outgoing()), Taken)
    assert sink.connections == 2
    assert len(sink.messages) == 1


@on_both_loops
@pytest.mark.parametrize("offers", [Offers(), Offers(pipelining=False)])
async def test_a_thousand_recipients_do_not_block(offers: Offers):
    names = [f"recipient.number.{n}.with.a.long.name@example{n}.net" for n in range(1000)]
    async with Sink(offers) as sink, upstream(sink.port) as up:
        assert isinstance(await up.deliver(outgoing(*names)), Taken)
        sink.script.add("RCPT", refuse("550 5.1.1 no").at(b"number.999."))
        refused = await up.deliver(outgoing(*names))
    assert isinstance(refused, SaidNo)
    assert refused.recipient == names[999]
    assert [message.rcpts for message in sink.messages] == [names]


@on_both_loops
async def test_parameters_reach_an_upstream_that_offers_them():
    to = Recipient("ü@x.example", notify="FAILURE", orcpt="rfc822;to@x.example")
    message = outgoing(to, needs_8bit=True, needs_utf8=True, ret="HDRS", envid="E1")
    async with Sink() as sink, upstream(sink.port) as up:
        assert isinstance(await up.deliver(message), Taken)
        assert up.offers == {
            "PIPELINING",
            "8BITMIME",
            "SMTPUTF8",
            "DSN",
            "SIZE",
            "ENHANCEDSTATUSCODES",
        }
    [got] = sink.messages
    size = f"SIZE={message.size_bytes}"
    assert got.mail_params == [size, "BODY=8BITMIME", "SMTPUTF8", "RET=HDRS", "ENVID=E1"]
    assert got.rcpt_params == [["NOTIFY=FAILURE", "ORCPT=rfc822;to@x.example"]]
    assert got.rcpts == ["ü@x.example"]


@on_both_loops
@pytest.mark.parametrize("size", ["9" * 5000, "9" * 21, "-1", "many", "\u00b2"])
async def test_a_size_that_is_none_is_no_limit_and_the_mail_goes(size: str):
    async with Sink() as sink, upstream(sink.port) as up:
        sink.script.add("EHLO", refuse(f"250-x\r\n250 SIZE {size}"))
        assert await up.probe() is None
        assert isinstance(await up.deliver(outgoing()), Taken)


@on_both_loops
async def test_what_the_upstream_lacks_is_said_and_nothing_is_sent():
    offers = Offers(eightbitmime=False, smtputf8=False)
    async with Sink(offers) as sink, upstream(sink.port) as up:
        assert await up.deliver(outgoing(needs_utf8=True)) == Lacks("SMTPUTF8")
        declared = outgoing(needs_8bit=True, declared="8BITMIME")
        assert await up.deliver(declared) == Lacks("8BITMIME")
        assert isinstance(await up.deliver(outgoing(needs_8bit=True)), Taken)
    assert (sink.connections, len(sink.messages)) == (1, 1)
    assert sink.verbs().count("MAIL") == 1


@on_both_loops
async def test_a_message_over_the_size_limit_is_not_sent():
    async with Sink(Offers(size_bytes=50)) as sink, upstream(sink.port) as up:
        outcome = await up.deliver(outgoing())
    assert isinstance(outcome, Lacks)
    assert outcome.extension == "SIZE"
    assert "MAIL" not in sink.verbs()


@on_both_loops
async def test_an_upstream_without_ehlo_is_greeted_with_helo():
    async with Sink() as sink, upstream(sink.port) as up:
        sink.script.add("EHLO", refuse("502 5.5.1 what?"))
        assert isinstance(await up.deliver(outgoing()), Taken)
        assert up.offers == frozenset()
    assert sink.verbs() == ["EHLO", "HELO", "MAIL", "RCPT", "DATA", "QUIT"]
    assert sink.messages[0].mail_params == []


@on_both_loops
async def test_offers_are_not_known_before_the_first_contact():
    async with Sink() as sink, upstream(sink.port) as up:
        assert up.offers is None
        assert await up.probe() is None
        assert "PIPELINING" in (up.offers or ())
        assert up.name == "outbound"


@on_both_loops
async def test_every_reply_of_a_transaction_is_counted():
    counting = Counting()
    async with Sink() as sink, upstream(sink.port, observer=counting) as up:
        await up.deliver(outgoing())
        sink.script.add("RCPT", refuse("451 4.7.1 later"))
        await up.deliver(outgoing())
    assert counting.codes == [250, 250, 354, 250, 250, 451, 503]
    assert counting.replies[5][0] == "outbound"
    assert counting.replies[5][1].enhanced == "4.7.1"


@on_both_loops
async def test_a_large_message_costs_about_one_piece_of_memory(tmp_path: Path):
    """The server is a process of its own, so that only the sender's memory is seen."""
    line = b".a line of a long newsletter, which begins with a dot.....\r\n"
    message = outgoing(body=b"\r\n" + line * (25_000_000 // len(line)))
    port, ledger = free_port(), tmp_path / "ledger"
    server = Child(
        [sys.executable, "-m", "tests.harness.smtp_sink", "--port", str(port), "--ledger", ledger],
        tmp_path / "log",
        cwd=Path(__file__).parents[3],
    )
    try:
        until(lambda: is_listening(port), "the sink to listen", detail=server.tail)
        async with upstream(port, final_timeout_s=20.0) as up:
            tracemalloc.start()
            outcome = await up.deliver(message)
            _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        server.end()
    assert isinstance(outcome, Taken)
    assert peak < 2_500_000
    [entry] = entries(ledger)
    assert entry["sha256"] == hashlib.sha256(message.head + message.body).hexdigest()
    assert entry["message_id"] == "<1@news.example>"
