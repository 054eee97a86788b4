"""Who answers on the address of the web process while that does not."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
from collections.abc import Awaitable, Callable

import pytest

from relay.processes.inside import beat
from relay.web.ops import Readiness
from relay.web_process import understudy as module
from relay.web_process.understudy import Understudy

BODY = b"relay_store_up 1.0\n"


class Vitals:
    async def metrics(self) -> bytes:
        return BODY

    async def readiness(self) -> Readiness:
        return Readiness(ready=True, checks={"store": "ok"})


@pytest.fixture
def bound():
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        made.listen()
        yield made


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    monkeypatch.setattr(module, "AWAY_S", 0.5)
    monkeypatch.setattr(module, "POLL_S", 0.02)
    monkeypatch.setattr("relay.processes.inside.BEAT_S", 0.05)


def asked(bound: socket.socket, path: str, timeout_s: float = 5) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(*bound.getsockname(), timeout=timeout_s)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


async def told(bound: socket.socket, path: str, timeout_s: float = 5) -> tuple[int, bytes]:
    return await asyncio.to_thread(asked, bound, path, timeout_s)


async def watched(
    bound: socket.socket, file, body: Callable[[], Awaitable[None]], *, is_alive: bool
) -> None:
    """`body`, while an understudy keeps watch and, if it lives, the other touches its file."""
    stop, dead = asyncio.Event(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(Understudy(bound, file, Vitals()).keep(stop))
        if is_alive:
            group.create_task(beat(file, dead))
        try:
            await body()
        finally:
            stop.set()
            dead.set()


async def test_without_a_web_process_the_relay_tells_of_itself(bound, tmp_path):
    async def body() -> None:
        assert await told(bound, "/metrics") == (200, BODY)  # waits until it is answered
        status, text = await told(bound, "/readyz")
        assert (status, json.loads(text)["checks"]) == (200, {"store": "ok", "web": "no answer"})
        assert (await told(bound, "/healthz"))[0] == 200
        status, text = await told(bound, "/api/warmup")
        assert (status, "does not answer" in json.loads(text)["detail"]) == (503, True)

    await watched(bound, tmp_path / "beat", body, is_alive=False)


async def test_nothing_is_taken_from_one_that_lives(bound, tmp_path):
    async def body() -> None:
        await asyncio.sleep(1.0)
        with pytest.raises(TimeoutError):  # nobody accepts: that is the other's to do
            await told(bound, "/metrics", 0.5)

    await watched(bound, tmp_path / "beat", body, is_alive=True)


async def test_it_steps_back_when_the_other_is_there_again(bound, tmp_path):
    file = tmp_path / "beat"

    async def body() -> None:
        assert (await told(bound, "/healthz"))[0] == 200
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(beat(file, stop))
            await asyncio.sleep(1.0)
            with pytest.raises(TimeoutError):
                await told(bound, "/healthz", 0.5)
            stop.set()
        assert (await told(bound, "/healthz"))[0] == 200  # gone again

    await watched(bound, file, body, is_alive=False)


async def test_when_all_ends_it_answers_at_once_beside_a_process_that_lives(bound, tmp_path):
    stop, dead = asyncio.Event(), asyncio.Event()
    understudy = Understudy(bound, tmp_path / "beat", Vitals())
    async with asyncio.TaskGroup() as group:
        group.create_task(understudy.keep(stop))
        group.create_task(beat(tmp_path / "beat", dead))
        understudy.take_over()
        assert await told(bound, "/metrics") == (200, BODY)
        status, text = await told(bound, "/api/warmup")
        assert (status, json.loads(text)["detail"]) == (503, "the relay is stopping")
        stop.set()
        dead.set()
