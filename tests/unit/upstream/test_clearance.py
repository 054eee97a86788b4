"""The envelope goes ahead, the content waits until it is cleared to be sent."""

from __future__ import annotations

import asyncio

import pytest

from relay.core.config import MaildirUpstream
from relay.core.errors import StoreTrouble
from relay.ports.upstream import SaidNo, Taken
from relay.upstream.build import open_upstream
from tests.harness.smtp_script import refuse
from tests.harness.smtp_sink import Offers, Sink
from tests.unit.upstream.given import HEAD, Counting, outgoing, upstream
from tests.unit.upstream.loops import on_both_loops

LARGE = b"x" * 70 + b"\r\n"


async def refused():
    raise StoreTrouble


class Asked:
    """Clears when it is told to, and counts how often it was asked."""

    def __init__(self):
        self.count = 0
        self.is_asked = asyncio.Event()
        self.may = asyncio.Event()

    async def __call__(self):
        self.count += 1
        self.is_asked.set()
        await self.may.wait()

    async def reached(self):
        async with asyncio.timeout(5):
            await self.is_asked.wait()


@pytest.mark.parametrize("offers", [Offers(), Offers(pipelining=False)], ids=["together", "steps"])
@on_both_loops
async def test_the_envelope_is_said_before_and_the_content_after(offers):
    async with Sink(offers) as sink, upstream(sink.port) as up:
        asked = Asked()
        delivery = asyncio.create_task(up.deliver(outgoing(), asked))
        await asked.reached()
        await asyncio.sleep(0.05)
        assert sink.verbs()[-1] == "DATA"
        assert sink.messages == []
        assert not delivery.done()
        asked.may.set()
        assert isinstance(await delivery, Taken)
    assert sink.messages[0].content == HEAD + b"\r\nHello.\r\n"
    assert asked.count == 1


@pytest.mark.parametrize("body", [b"Hello.\r\n", LARGE * 10_000], ids=["small", "in pieces"])
async def test_what_is_not_cleared_is_not_sent_and_its_error_is_raised(body):
    async with Sink() as sink, upstream(sink.port) as up:
        with pytest.raises(StoreTrouble):
            await up.deliver(outgoing(body=body), refused)
        assert isinstance(await up.deliver(outgoing()), Taken), "over another connection"
        assert sink.connections == 2, "nothing but the end of the connection ends a 354"
    assert [message.content for message in sink.messages] == [HEAD + b"\r\nHello.\r\n"]


async def test_who_waits_for_a_connection_gets_that_of_one_that_was_not_cleared():
    async with Sink() as sink, upstream(sink.port, connections=1) as up:
        given_up = asyncio.create_task(up.deliver(outgoing(), refused))
        following = asyncio.create_task(up.deliver(outgoing()))
        with pytest.raises(StoreTrouble):
            await given_up
        async with asyncio.timeout(5):
            assert isinstance(await following, Taken)


async def test_a_refused_envelope_needs_no_clearance():
    async with Sink() as sink, upstream(sink.port) as up:
        sink.script.add("RCPT", refuse("450 4.2.1 try later"))
        asked = Asked()
        assert isinstance(await up.deliver(outgoing(), asked), SaidNo)
        assert asked.count == 0


async def test_an_upstream_that_leaves_meanwhile_is_tried_anew():
    async with Sink() as sink, upstream(sink.port) as up:
        assert isinstance(await up.deliver(outgoing()), Taken)
        asked = Asked()
        delivery = asyncio.create_task(up.deliver(outgoing(), asked))
        await asked.reached()
        await sink.drop()
        await asyncio.sleep(0.05)
        asked.may.set()
        assert isinstance(await delivery, Taken)
        assert asked.count == 2
    assert len(sink.messages) == 2


async def test_a_cancelled_wait_leaves_no_half_transaction():
    async with Sink() as sink, upstream(sink.port) as up:
        asked = Asked()
        delivery = asyncio.create_task(up.deliver(outgoing(), asked))
        await asked.reached()
        delivery.cancel()
        await asyncio.wait([delivery])
        assert delivery.cancelled()
        assert isinstance(await up.deliver(outgoing()), Taken)
    assert len(sink.messages) == 1


async def test_a_maildir_stores_nothing_that_is_not_cleared(tmp_path):
    config = MaildirUpstream("disk", tmp_path / "mail")
    up = open_upstream(config, "relay.example.net", Counting())
    with pytest.raises(StoreTrouble):
        await up.deliver(outgoing(), refused)
    assert not (tmp_path / "mail").exists()
    asked = Asked()
    asked.may.set()
    assert isinstance(await up.deliver(outgoing(), asked), Taken)
    assert len(list((tmp_path / "mail" / "new").iterdir())) == 1
