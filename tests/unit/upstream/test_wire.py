from __future__ import annotations

import asyncio

import pytest

from relay.upstream.wire import MAX_UNREAD_BYTES, Broken, Wire


class Slow:
    """A transport whose buffer shrinks only when told; everything written is kept."""

    def __init__(self) -> None:
        self.waiting_bytes = 100
        self.written: list[bytes] = []
        self.is_cut = False

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def set_write_buffer_limits(self, high: int) -> None:
        assert high > 0

    def get_write_buffer_size(self) -> int:
        return self.waiting_bytes

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def is_closing(self) -> bool:
        return self.is_cut

    def close(self) -> None:
        self.is_cut = True

    abort = close


@pytest.fixture
async def slow() -> Slow:
    return Slow()


@pytest.fixture
async def wire(slow: Slow) -> Wire:
    return Wire(slow)  # type: ignore[arg-type]


async def test_a_write_that_makes_any_progress_is_given_more_time(wire: Wire, slow: Slow):
    wire.pause_writing()
    loop = asyncio.get_running_loop()
    for step in range(1, 4):
        loop.call_later(0.3 * step, setattr, slow, "waiting_bytes", 100 - step)
    loop.call_later(1.2, wire.resume_writing)
    began_s = loop.time()
    await wire.drain(0.6)
    assert loop.time() - began_s > 1.1


async def test_a_write_that_makes_no_progress_is_given_up(wire: Wire):
    wire.pause_writing()
    with pytest.raises(Broken, match="accepted no data"):
        await wire.drain(0.05)


async def test_draining_ends_when_a_reply_comes_or_the_connection_goes(wire: Wire):
    wire.pause_writing()
    loop = asyncio.get_running_loop()
    loop.call_later(0.02, wire.data_received, b"552 too big\r\n")
    await wire.drain(5)
    assert wire.early_reply().code == 552
    loop.call_later(0.02, wire.connection_lost, ConnectionResetError("reset"))
    await wire.drain(5)
    with pytest.raises(Broken, match="reset"):
        wire.require_open()


async def test_commands_are_not_sent_over_a_reply_that_nobody_asked_for(wire: Wire, slow: Slow):
    for early in (b"250 early\r\n", b"25"):
        wire.data_received(early)
        assert not wire.is_quiet
        with pytest.raises(Broken):
            wire.send(b"MAIL FROM:<>\r\n")
    assert slow.written == []


async def test_an_unasked_421_is_kept_as_the_answer(wire: Wire):
    wire.data_received(b"421 4.3.2 bye\r\n")
    with pytest.raises(Broken) as caught:
        wire.send(b"MAIL FROM:<>\r\n")
    assert str(caught.value.answer) == "421 4.3.2 bye"


async def test_what_came_before_the_end_is_still_read(wire: Wire):
    wire.data_received(b"250 one\r\n")
    wire.eof_received()
    assert (await wire.reply(1)).code == 250
    with pytest.raises(Broken, match="closed"):
        await wire.reply(1)


async def test_nothing_is_written_to_a_lost_connection(wire: Wire, slow: Slow):
    wire.connection_lost(None)
    with pytest.raises(Broken):
        wire.write(b"data")
    assert slow.written == []


async def test_a_flood_of_replies_is_cut_off(wire: Wire):
    line = b"250 " + b"x" * 4000 + b"\r\n"
    for _ in range(MAX_UNREAD_BYTES // len(line) + 2):
        wire.data_received(line)
    assert not wire.is_quiet
    with pytest.raises(Broken, match="bytes of replies"):
        wire.require_open()


async def test_a_transport_that_refuses_to_write_is_broken(wire: Wire, slow: Slow, monkeypatch):
    def refuse(_: bytes) -> None:
        raise RuntimeError("unable to perform operation, the handler is closed")

    monkeypatch.setattr(slow, "write", refuse)
    with pytest.raises(Broken, match="handler is closed"):
        wire.write(b"data")


async def test_each_wait_has_its_own_deadline_whatever_came_of_the_one_before(wire: Wire):
    loop = asyncio.get_running_loop()
    loop.call_later(0.02, wire.data_received, b"250 one\r\n")
    assert (await wire.reply(0.1)).code == 250
    began_s = loop.time()
    with pytest.raises(Broken, match=r"no reply within 0\.3 s"):
        await wire.reply(0.3)
    assert 0.25 < loop.time() - began_s < 2
    began_s = loop.time()
    with pytest.raises(Broken, match=r"no reply within 0\.05 s"):
        await wire.reply(0.05)
    assert 0.04 < loop.time() - began_s < 2


async def test_a_wait_that_was_cancelled_leaves_the_next_one_alone(wire: Wire):
    loop = asyncio.get_running_loop()
    waiting = asyncio.create_task(wire.reply(0.05))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    loop.call_later(0.1, wire.data_received, b"250 late\r\n")
    assert (await wire.reply(5)).code == 250
