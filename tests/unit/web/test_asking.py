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
        found = await asked(f"unix:{path}", "/readyz", 5.0)
    assert (found.status, found.content_type, found.body) == (200, "text/plain", b"the body")


async def test_one_that_breaks_off_is_none_and_so_is_one_that_is_late(path):
    async with await answering(path, HEAD[:20]):
        with pytest.raises(NoAnswer, match="broke off"):
            await asked(f"unix:{path}", "/readyz", 5.0)
        with pytest.raises(NoAnswer):
            await asked(f"unix:{path}", "/readyz", 0.01)


async def test_one_whose_body_is_not_as_long_as_it_says_broke_off_too(path):
    head = HEAD.replace(b"text/plain", b"text/plain\r\nContent-Length: 9")
    async with await answering(path, head, b"the body"):
        with pytest.raises(NoAnswer, match="broke off"):
            await asked(f"unix:{path}", "/readyz", 5.0)


@pytest.mark.parametrize("where", ["127.0.0.1", "[::1]"])
async def test_a_process_is_asked_on_its_port_as_well(where):
    async def answer(reader, writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD + b"here")
        writer.close()

    async with await asyncio.start_server(answer, where.strip("[]"), 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert (await asked(f"{where}:{port}", "/metrics", 5.0)).body == b"here"
