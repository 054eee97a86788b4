"""Connections that bring no request, and those that do."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from relay.web import protocol
from relay.web.asgi import Receive, Scope, Send, problem
from relay.web.server import HttpServer

HEAD_S = 0.3
WHOLE = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
SLOW = b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n"
NEVER = b"GET /never HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

waits = asyncio.Event()
"""Somebody has asked for /never."""

Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def app(scope: Scope, _receive: Receive, send: Send) -> None:
    """Answers without a look at the body."""
    if scope["path"] == "/slow":
        await asyncio.sleep(3 * HEAD_S)
    if scope["path"] == "/never":
        waits.set()
        await asyncio.Event().wait()
    await problem(401, "Unauthorized", "as the door").send(send)


@pytest.fixture
async def server(monkeypatch) -> AsyncIterator[HttpServer]:
    monkeypatch.setattr(protocol, "HEAD_S", HEAD_S)
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    made = HttpServer(bound, app)
    made.bind()
    serving = asyncio.create_task(made.serve())
    try:
        yield made
    finally:
        await made.stop(1)
        await serving


async def connected(server: HttpServer) -> Pair:
    while True:  # it listens once it serves
        with suppress(ConnectionRefusedError):
            return await asyncio.open_connection("127.0.0.1", server.port)
        await asyncio.sleep(0.01)


async def answer(reader: asyncio.StreamReader) -> bytes:
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    size = int(head.partition(b"content-length: ")[2].split(b"\r\n")[0])
    return head + await reader.readexactly(size)


async def dripped(writer: asyncio.StreamWriter, drop: bytes) -> None:
    with suppress(OSError):
        while True:
            writer.write(drop)
            await writer.drain()
            await asyncio.sleep(HEAD_S / 10)


@pytest.mark.parametrize("before", [b"", WHOLE, POST], ids=["new", "answered", "refused body"])
@pytest.mark.parametrize(
    "drop", [b"", b"1\r\nx\r\n", b"X: y\r\n"], ids=["silent", "chunks", "head"]
)
async def test_who_sends_no_whole_head_in_time_is_hung_up_on(server, before, drop):
    reader, writer = await connected(server)
    if before:
        writer.write(before)
        await answer(reader)
    elif drop:
        writer.write(b"GET / HTTP/1.1\r\n")
    dripping = asyncio.create_task(dripped(writer, drop)) if drop else None
    with suppress(ConnectionError):
        while await asyncio.wait_for(reader.read(65536), 20):
            pass
    if dripping:
        dripping.cancel()
    writer.close()


async def test_who_waits_for_an_answer_is_not(server):
    reader, writer = await connected(server)
    for _ in range(2):
        writer.write(SLOW)
        assert b"as the door" in await answer(reader)
        await asyncio.sleep(2 * HEAD_S)  # between requests it is uvicorn's own patience
    writer.close()


async def test_who_still_waits_when_the_server_ends_hears_it_as_a_problem(server):
    reader, writer = await connected(server)
    writer.write(NEVER)
    await asyncio.wait_for(waits.wait(), 5)
    await server.stop(1)
    told = await answer(reader)
    assert told.startswith(b"HTTP/1.1 500 ")
    assert b"content-type: application/problem+json" in told
    assert b"nobody knows what was done" in told


async def test_where_a_body_ends_is_not_guessed_and_nothing_behind_it_is_read(server):
    reader, writer = await connected(server)
    writer.write(POST.replace(b"Host", b"Content-Length: 2\r\nHost") + b"0\r\n\r\n" + WHOLE)
    told = await asyncio.wait_for(reader.read(-1), 5)
    assert told.startswith(b"HTTP/1.1 400 ")
    assert b"where the body ends is not sure" in told
    assert told.count(b"HTTP/1.1 ") == 1
    writer.close()
