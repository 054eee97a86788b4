"""One connection, many conversations: whose answer is whose, and what ends all of them."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest
from redis.exceptions import BusyLoadingError, InvalidResponse, ResponseError
from redis.exceptions import ConnectionError as LostConnection

from relay.store.connections.pipe import Pipe


class Server:
    """Takes what comes, and answers by hand."""

    def __init__(self) -> None:
        self.reads: list[bytes] = []
        self.writer: asyncio.StreamWriter | None = None
        self.has_closed = asyncio.Event()

    async def serve(self, reader, writer):
        self.writer = writer
        while data := await reader.read(65536):
            self.reads.append(data)
        self.has_closed.set()
        writer.close()

    async def says(self, text: bytes):
        self.writer.write(text)
        await asyncio.sleep(0.02)


@asynccontextmanager
async def connected():
    server = Server()
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    _reader, writer = await asyncio.open_connection("127.0.0.1", port)
    pipe = Pipe(writer)
    await asyncio.sleep(0.02)
    try:
        async with asyncio.timeout(5):
            yield pipe, server
    finally:
        pipe.retire()
        listener.close()


def talks(pipe: Pipe, *names: str):
    return [asyncio.create_task(pipe.converse([("GET", name)])) for name in names]


async def test_what_is_said_in_one_turn_of_the_loop_goes_out_together():
    async with connected() as (pipe, server):
        both = talks(pipe, "a", "b")
        await asyncio.sleep(0.02)
        assert server.reads == [b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n*2\r\n$3\r\nGET\r\n$1\r\nb\r\n"]
        await server.says(b"+1\r\n+2\r\n")
        assert [await one for one in both] == [["1"], ["2"]]


async def test_whoever_gives_up_leaves_his_answer_to_nobody():
    async with connected() as (pipe, server):
        first, second, third = talks(pipe, "a", "b", "c")
        await asyncio.sleep(0.02)
        second.cancel()
        await server.says(b"+1\r\n+2\r")
        await server.says(b"\n+3\r\n")
        assert (await first, await third) == (["1"], ["3"])
        assert second.cancelled()
        assert pipe.is_open


async def test_an_error_is_an_answer_but_not_one_that_is_about_the_server():
    async with connected() as (pipe, server):
        (talk,) = talks(pipe, "a")
        await asyncio.sleep(0)
        await server.says(b"-WRONGTYPE no\r\n")
        assert isinstance((await talk)[0], ResponseError)
        (talk,) = talks(pipe, "a")
        await asyncio.sleep(0)
        await server.says(b"-LOADING the dataset\r\n")
        with pytest.raises(BusyLoadingError):
            await talk


async def test_a_retired_connection_ends_what_was_begun_and_then_closes():
    async with connected() as (pipe, server):
        (talk,) = talks(pipe, "a")
        await asyncio.sleep(0.02)
        pipe.retire()
        assert not pipe.is_open
        await server.says(b"+1\r\n")
        assert await talk == ["1"]
        await server.has_closed.wait()


async def test_a_retired_connection_closes_at_once_when_nobody_waits():
    async with connected() as (pipe, server):
        (talk,) = talks(pipe, "a")
        await asyncio.sleep(0.02)
        pipe.retire()
        talk.cancel()
        await server.has_closed.wait()


@pytest.mark.parametrize("text", [b"what is this\r\n", b"+1\r\n+unasked\r\n"])
async def test_a_server_out_of_step_is_never_listened_to_again(text):
    async with connected() as (pipe, server):
        first, second = talks(pipe, "a")[0], None
        await asyncio.sleep(0.02)
        await server.says(text)
        assert not pipe.is_open
        if text.startswith(b"+1"):
            assert await first == ["1"]
        else:
            with pytest.raises(InvalidResponse):
                await first
        with pytest.raises(LostConnection):
            second = await pipe.converse([("GET", "b")])
        assert second is None


async def test_a_lost_connection_fails_everybody_on_it():
    async with connected() as (pipe, server):
        both = talks(pipe, "a", "b")
        await asyncio.sleep(0.02)
        server.writer.close()
        for one in both:
            with pytest.raises(LostConnection, match="closed by the server"):
                await one
        assert not pipe.is_open


def in_s(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


async def test_each_conversation_ends_at_its_own_deadline_and_leaves_a_gap():
    async with connected() as (pipe, server):
        began = in_s(0)
        late = pipe.begin([("GET", "a")], in_s(5))
        second = pipe.begin([("GET", "b")], in_s(0.06))
        first = pipe.begin([("GET", "c")], in_s(0.02))
        with pytest.raises(TimeoutError):
            await first
        assert not second.done()
        with pytest.raises(TimeoutError):
            await second
        assert 0.05 < in_s(0) - began < 1
        await server.says(b"+1\r\n+2\r\n+3\r\n")
        assert await late == ["1"]
        assert pipe.is_open


async def test_a_deadline_that_was_kept_ends_nobody_who_came_later():
    async with connected() as (pipe, server):
        kept = pipe.begin([("GET", "a")], in_s(0.05))
        await asyncio.sleep(0.01)
        await server.says(b"+1\r\n")
        later = pipe.begin([("GET", "b")], in_s(0.2))
        await asyncio.sleep(0.1)
        assert await kept == ["1"]
        assert not later.done()
        with pytest.raises(TimeoutError):
            await later


async def test_a_retired_connection_closes_when_the_last_deadline_on_it_is_over():
    async with connected() as (pipe, server):
        talk = pipe.begin([("GET", "a")], in_s(0.05))
        pipe.retire()
        with pytest.raises(TimeoutError):
            await talk
        await server.has_closed.wait()


async def test_on_a_closed_connection_nothing_is_begun():
    async with connected() as (pipe, _server):
        pipe.retire()
        assert pipe.begin([("GET", "a")], in_s(1)) is None
