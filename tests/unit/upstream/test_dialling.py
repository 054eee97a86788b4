"""Names of upstreams: one that nobody answers for holds up nobody else, and no more than itself."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, closing
from threading import Event

import pytest

from relay.core.config import Security, SmtpHost
from relay.ports.upstream import Taken, Unreachable
from relay.upstream import dialling
from relay.upstream.dialling import Dialler
from tests.harness.ports import free_port
from tests.harness.smtp_script import close, stall
from tests.harness.smtp_sink import Sink
from tests.unit.upstream.given import outgoing, upstream
from tests.unit.upstream.loops import on_both_loops

SILENT = 40
"""Lookups at once: more than any pool of threads has."""


class Names:
    """In place of the system's resolver: `*.silent.example` is not answered until `answers`."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.answers = Event()
        self.known: dict[str, list[str]] = {}
        self._real = socket.getaddrinfo

    def getaddrinfo(self, host, port, family=0, kind=0, protocol=0, flags=0):
        rest = family, kind, protocol, flags
        if flags == socket.AI_NUMERICHOST or host not in self.known:
            return self._real(host, port, *rest)
        self.asked[host] += 1
        if host.endswith("silent.example"):
            self.answers.wait(20)
        found = [self._real(each, port, *rest) for each in self.known[host]]
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [address for addresses in found for address in addresses]


@pytest.fixture
def names(monkeypatch):
    made = Names()
    monkeypatch.setattr(socket, "getaddrinfo", made.getaddrinfo)
    yield made
    made.answers.set()


def host(name: str, port: int) -> SmtpHost:
    return SmtpHost(name, port, Security.NONE)


@asynccontextmanager
async def connected(dialler: Dialler, name: str, port: int):
    made = await dialler.connected(host(name, port))
    try:
        yield made
    finally:
        made.close()


async def answered(dialler: Dialler, name: str, port: int) -> None:
    async with connected(dialler, name, port):
        pass


@on_both_loops
async def test_upstreams_whose_names_nobody_answers_for_hold_up_no_other(names):
    silent = [f"{number}.silent.example" for number in range(SILENT)]
    names.known = {each: [] for each in silent} | {"up.example": ["127.0.0.1"]}
    async with Sink() as sink, AsyncExitStack() as stack:
        opened = [upstream(sink.port, host=each, connect_timeout_s=0.1) for each in silent]
        deaf = [await stack.enter_async_context(each) for each in opened]
        outcomes = await asyncio.gather(*(each.deliver(outgoing()) for each in deaf))
        assert {type(outcome) for outcome in outcomes} == {Unreachable}
        async with upstream(sink.port, host="up.example", connect_timeout_s=2.0) as fine:
            assert isinstance(await fine.deliver(outgoing()), Taken)


@on_both_loops
async def test_of_a_name_one_lookup_is_under_way_and_whoever_gives_up_leaves_it_to_the_next(names):
    names.known["up.silent.example"] = ["127.0.0.1"]
    async with Sink() as sink, upstream(
        sink.port, host="up.silent.example", connect_timeout_s=0.2
    ) as silent:  # fmt: skip
        outcomes = await asyncio.gather(*(silent.deliver(outgoing()) for _ in range(SILENT)))
        assert {type(outcome) for outcome in outcomes} == {Unreachable}
        assert names.asked["up.silent.example"] == 1
        names.answers.set()
        assert isinstance(await silent.deliver(outgoing()), Taken)


@on_both_loops
async def test_addresses_are_tried_in_their_order_until_one_answers(names):
    names.known["up.example"] = ["127.0.0.2", "127.0.0.1", "127.0.0.3"]
    async with Sink() as sink, connected(Dialler(), "up.example", sink.port) as made:
        assert made.getpeername() == ("127.0.0.1", sink.port)


@asynccontextmanager
async def silent(address: str, port: int):
    """Nobody answers there, not even with a refusal: the kernel drops what a full backlog bars."""
    with ExitStack() as stack:
        stack.enter_context(closing(socket.create_server((address, port), backlog=0)))
        for _ in range(2):
            waiting = stack.enter_context(closing(socket.socket()))
            waiting.setblocking(False)
            waiting.connect_ex((address, port))
        yield


@on_both_loops
async def test_an_address_that_never_answers_does_not_keep_the_next_from_being_tried(names):
    names.known["up.example"] = ["127.0.0.2", "127.0.0.3", "127.0.0.1"]
    async with (
        Sink() as sink,
        silent("127.0.0.2", sink.port),
        silent("127.0.0.3", sink.port),
        upstream(sink.port, host="up.example", connect_timeout_s=4.0) as made,
    ):
        assert isinstance(await made.deliver(outgoing()), Taken)
        assert sink.connections == 1


@on_both_loops
async def test_whoever_gives_up_leaves_no_attempt_under_way(names):
    names.known["up.example"] = ["127.0.0.2", "127.0.0.3"]
    port = free_port()
    async with silent("127.0.0.2", port), silent("127.0.0.3", port):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2 * dialling.HEAD_START_S):
                await answered(Dialler(), "up.example", port)
        assert asyncio.all_tasks() == {asyncio.current_task()}


@on_both_loops
async def test_a_name_that_is_not_there_and_one_that_cannot_be_are_told(names):
    names.known["nothing.example"] = []
    dialler = Dialler()
    for _ in range(2):
        with pytest.raises(OSError, match="not known"):
            await answered(dialler, "nothing.example", 25)
    assert names.asked["nothing.example"] == 2, "an answer is not kept"
    with pytest.raises(UnicodeError):
        await answered(dialler, f"{'x' * 64}.example", 25)
    with pytest.raises(ConnectionRefusedError):
        await answered(dialler, "127.0.0.1", free_port())


@on_both_loops
async def test_an_address_needs_no_thread(monkeypatch):
    monkeypatch.setattr(dialling, "Thread", None)
    async with Sink() as sink:
        await answered(Dialler(), "127.0.0.1", sink.port)


@on_both_loops
async def test_what_was_wrong_is_said_in_words_that_name_the_host_once():
    async with Sink() as sink:
        sink.script.add("CONNECT", close().once(), stall().once())
        async with upstream(sink.port, connect_timeout_s=0.3) as made:
            at = f"127.0.0.1:{sink.port}: connecting: "
            assert await made.probe() == f"{at}Unexpected EOF received"
            assert await made.probe() == f"{at}timed out"
