"""A transaction that stays open between its recipients: its answers, its end, its connection."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from relay.core.config import MaildirUpstream
from relay.core.mail.message import Envelope, Recipient
from relay.core.reply import Reply
from relay.ports.upstream import Lacks, SaidNo, Taken, Unknown, Unreachable
from relay.upstream.build import open_upstream
from tests.harness.smtp_script import close, refuse, reset, stall
from tests.harness.smtp_sink import Offers, Sink
from tests.unit.upstream.given import HEAD, Counting, outgoing, upstream
from tests.unit.upstream.loops import on_both_loops

SENDER = Envelope("bounce@news.example", ())
A, B = Recipient("a@x.example"), Recipient("b@y.example")


async def begun(up, envelope=SENDER):
    handover = await up.begin(envelope)
    assert not isinstance(handover, SaidNo | Lacks | Unreachable), handover
    return handover


@on_both_loops
async def test_recipients_are_offered_one_by_one_and_the_message_goes_to_the_accepted():
    async with Sink() as sink, upstream(sink.port) as up:
        sink.script.add("RCPT", refuse("550 5.1.1 no such user").at(b"b@y"))
        handover = await begun(up)
        assert str(await handover.recipient(A)) == "250 2.1.5 ok"
        refused = await handover.recipient(B)
        assert refused == SaidNo(Reply(550, "1.1", "no such user"), "b@y.example")
        outcome = await handover.send(outgoing("a@x.example"))
        assert isinstance(outcome, Taken)
    [message] = sink.messages
    assert message.rcpts == ["a@x.example"]
    assert message.content == HEAD + b"\r\nHello.\r\n"


async def test_its_connection_is_used_again_after_the_message_and_after_an_abort():
    async with Sink() as sink, upstream(sink.port) as up:
        for end in ("send", "abort", "send"):
            handover = await begun(up)
            await handover.recipient(A)
            await (handover.send(outgoing("a@x.example")) if end == "send" else handover.abort())
        assert sink.connections == 1
        assert len(sink.messages) == 2
    assert sink.verbs().count("RSET") == 1


async def test_an_abort_takes_back_every_recipient_and_may_be_called_again():
    async with Sink() as sink, upstream(sink.port) as up:
        handover = await begun(up)
        await handover.recipient(A)
        await handover.abort()
        await handover.abort()
        assert isinstance(await handover.recipient(B), Unreachable)
        assert isinstance(await handover.send(outgoing()), Unreachable)
        assert await up.deliver(outgoing("b@y.example")) == Taken(Reply(250, "0.0", "Ok: queued"))
    assert [message.rcpts for message in sink.messages] == [["b@y.example"]]


async def test_a_refused_sender_is_the_upstreams_own_word_and_the_connection_survives():
    async with Sink() as sink, upstream(sink.port) as up:
        sink.script.add("MAIL", refuse("550 5.7.1 not you").once())
        assert await up.begin(SENDER) == SaidNo(Reply(550, "7.1", "not you"))
        await (await begun(up)).abort()
    assert sink.connections == 1


async def test_a_421_to_mail_is_tried_over_the_next_host():
    async with Sink() as one, Sink() as two, upstream(one.port, two.port) as up:
        one.script.add("MAIL", refuse("421 4.3.2 going down", close=True))
        handover = await begun(up)
        await handover.recipient(A)
        assert isinstance(await handover.send(outgoing("a@x.example")), Taken)
    assert (len(one.messages), len(two.messages)) == (0, 1)


async def test_a_421_to_a_recipient_ends_the_transaction_for_all_of_them():
    async with Sink() as sink, upstream(sink.port) as up:
        handover = await begun(up)
        await handover.recipient(A)
        sink.script.add("RCPT", refuse("421 4.3.2 going down", close=True).once())
        assert await handover.recipient(B) == SaidNo(Reply(421, "3.2", "going down"), B.address)
        assert isinstance(await handover.recipient(B), Unreachable)
        assert isinstance(await handover.send(outgoing("a@x.example")), Unreachable)
    assert sink.messages == []


@pytest.mark.parametrize("how", [reset(), close()])
@pytest.mark.parametrize("verb", ["RCPT", "DATA", "BODY"])
async def test_a_connection_lost_before_the_final_dot_has_handed_over_nothing(verb, how):
    async with Sink() as sink, upstream(sink.port) as up:
        handover = await begun(up)
        if verb != "RCPT":
            await handover.recipient(A)
        sink.script.add(verb, how)
        answer = await handover.recipient(B)
        assert isinstance(answer, Unreachable if verb == "RCPT" else Reply)
        # BODY: the content is longer than what fits into the write that holds the final dot.
        body = b"\r\n" + b"x" * 5_000_000 + b"\r\n"
        assert isinstance(await handover.send(outgoing(body=body)), Unreachable)
    assert sink.messages == []


async def test_a_connection_lost_after_the_final_dot_is_unknown():
    async with Sink() as sink, upstream(sink.port) as up:
        sink.script.add("DOT", reset())
        handover = await begun(up)
        await handover.recipient(A)
        assert isinstance(await handover.send(outgoing("a@x.example")), Unknown)
    assert len(sink.messages) == 1


async def test_an_upstream_that_leaves_while_the_client_dawdles_has_taken_nothing():
    async with Sink() as sink, upstream(sink.port) as up:
        handover = await begun(up)
        await handover.recipient(A)
        await sink.say(b"421 4.4.2 idle too long\r\n", close=True)
        outcome = await handover.send(outgoing("a@x.example"))
        assert outcome == SaidNo(Reply(421, "4.2", "idle too long"))
    assert sink.messages == []


@pytest.mark.parametrize("verb", ["DATA", "DOT"])
async def test_a_message_refused_at_its_end_is_refused_for_all(verb):
    async with Sink() as sink, upstream(sink.port) as up:
        handover = await begun(up)
        await handover.recipient(A)
        await handover.recipient(B)
        sink.script.add(verb, refuse("554 5.7.1 spam").once())
        message = outgoing("a@x.example", "b@y.example")
        assert await handover.send(message) == SaidNo(Reply(554, "7.1", "spam"), None)
        await (await begun(up)).abort()
    assert (sink.messages, sink.connections) == ([], 1)


@pytest.mark.parametrize("limit", ["data_timeout_s", "age_s"])
async def test_a_dawdling_client_loses_its_connection_to_others(limit):
    limits = {limit: 0.2, "connections": 1}
    async with Sink() as sink, upstream(sink.port, **limits) as up:
        handover = await begun(up)
        await handover.recipient(A)
        assert isinstance(await up.deliver(outgoing("b@y.example")), Taken)  # waits, then gets one
        outcome = await handover.send(outgoing("a@x.example"))
        assert outcome == Unreachable("outbound: the client took too long")
    assert [message.rcpts for message in sink.messages] == [["b@y.example"]]


async def test_every_step_sets_the_idle_time_back_but_not_the_age():
    async with Sink() as sink, upstream(sink.port, data_timeout_s=0.3, age_s=0.8) as up:
        handover = await begun(up)
        answers = []
        for _ in range(12):
            answers.append(await handover.recipient(A))
            await asyncio.sleep(0.1)
        assert all(isinstance(answer, Reply) for answer in answers[:6])
        assert isinstance(answers[-1], Unreachable)


async def test_open_transactions_count_against_the_pools_limit():
    async with Sink() as sink, upstream(sink.port, connections=2, command_timeout_s=0.3) as up:
        held = [await begun(up) for _ in range(2)]
        assert isinstance(await up.begin(SENDER), Unreachable)
        await held[0].abort()
        await (await begun(up)).abort()
        await held[1].abort()
    assert sink.most_open == 2


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA", "DOT"])
async def test_a_cancelled_step_leaves_neither_slot_nor_half_a_transaction(verb):
    async with Sink() as sink, upstream(sink.port, connections=1) as up:

        async def whole():
            handover = await begun(up)
            await handover.recipient(A)
            await handover.send(outgoing("a@x.example"))

        sink.script.add(verb, replace(stall(), times=1))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(whole(), 0.2)
        assert isinstance(await up.deliver(outgoing("b@y.example")), Taken)
    assert sink.connections == 2


async def test_closing_the_upstream_ends_what_is_open():
    async with Sink() as sink, upstream(sink.port) as up:
        handover = await begun(up)
        await handover.recipient(A)
        closing = asyncio.ensure_future(up.close())
        await asyncio.sleep(0)
        await handover.abort()
        await asyncio.wait_for(closing, 3)
        assert isinstance(await up.begin(SENDER), Unreachable)
        assert sink.open == 0


async def test_what_the_content_will_need_is_asked_for_before_it_is_there():
    async with Sink() as sink, upstream(sink.port) as up:
        await (await begun(up, replace(SENDER, smtputf8=True, envid="e1"))).abort()
        await (await begun(up, replace(SENDER, body="7BIT"))).abort()
    mails = [line for _, line in sink.commands if line.startswith(b"MAIL")]
    assert mails == [
        b"MAIL FROM:<bounce@news.example> BODY=8BITMIME SMTPUTF8 ENVID=e1",
        b"MAIL FROM:<bounce@news.example>",
    ]


async def test_an_extension_that_is_missing_is_found_out_where_it_is_needed():
    offers = Offers(eightbitmime=False, smtputf8=False, size_bytes=500)
    async with Sink(offers) as sink, upstream(sink.port) as up:
        assert await up.begin(replace(SENDER, mail_from="ü@news.example")) == Lacks("SMTPUTF8")
        for message, wanted in [
            (outgoing(needs_8bit=True, declared="8BITMIME"), Lacks("8BITMIME")),
            (outgoing(needs_utf8=True), Lacks("SMTPUTF8")),
        ]:
            handover = await begun(up, replace(SENDER, smtputf8=True))
            assert await handover.recipient(Recipient("ü@x.example")) == Lacks("SMTPUTF8")
            await handover.recipient(A)
            assert await handover.send(message) == wanted
        handover = await begun(up)
        await handover.recipient(A)
        outcome = await handover.send(outgoing(body=b"\r\n" + b"x" * 600))
        assert isinstance(outcome, Lacks)
        assert outcome.extension == "SIZE"
    assert (sink.messages, sink.connections) == ([], 1)


async def test_addresses_that_hold_a_command_of_their_own_never_reach_the_wire():
    async with Sink() as sink, upstream(sink.port) as up:
        refused = await up.begin(replace(SENDER, mail_from="a@b>\r\nRCPT TO:<x@y"))
        assert isinstance(refused, SaidNo)
        handover = await begun(up)
        assert isinstance(await handover.recipient(Recipient("a@b>\r\nDATA")), SaidNo)
        await handover.abort()
    assert [verb for verb in sink.verbs() if verb in {"RCPT", "DATA"}] == []


async def test_a_maildir_takes_every_recipient_and_nothing_before_the_message(tmp_path):
    made = open_upstream(MaildirUpstream("disk", tmp_path / "m"), "relay.example", Counting())
    handover = await made.begin(SENDER)
    assert await handover.recipient(A) == Reply(250, "1.5", "Recipient ok")
    await handover.abort()
    assert isinstance(await handover.send(outgoing("a@x.example")), Unreachable)
    handover = await made.begin(SENDER)
    assert isinstance(await handover.send(outgoing("a@x.example")), Taken)
    assert isinstance(await handover.send(outgoing("a@x.example")), Unreachable)
    [file] = (tmp_path / "m" / "new").iterdir()
    assert b"X-Envelope-To: a@x.example" in file.read_bytes()
