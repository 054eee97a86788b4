"""One process of a relay asks another over its socket: the whole answer, or none."""

from __future__ import annotations

import asyncio

import pytest

from relay.web.asking import NoAnswer, asked

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ops.sock"


async def answering(path, *pieces: bytes) -> asyncio.Server:
    """A server that says `pieces` one after the other, each in a read of its own."""

    async def answer(reader, writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.05)
        writer.close()

    return await asyncio.start_unix_server(answer, path)


async def test_an_answer_in_several_pieces_is_read_to_its_end(path):
    async with await answering(path, HEAD[:9], HEAD[9:], b"the ", b"body"):
        found = await asked(path, "/readyz", 5.0)
    assert (found.status, found.body) == (200, b"the body")


async def test_one_that_breaks_off_is_none_and_so_is_one_that_is_late(path):
    async with await answering(path, HEAD[:20]):
        with pytest.raises(NoAnswer, match="broke off"):
            await asked(path, "/readyz", 5.0)
        with pytest.raises(NoAnswer):
            await asked(path, "/readyz", 0.01)
