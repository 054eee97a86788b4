"""One answer on readiness out of those of several workers."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from pathlib import Path

from relay.clock import SystemClock
from relay.serving import gathering
from relay.serving.gathering import GatheredVitals
from relay.web.ops import Readiness
from relay.web.server import WebServer

READY = Readiness(True, {"store": "ok", "upstream out": "ok"})
UPSET = Readiness(False, {"store": "no answer", "upstream out": "ok"})


class Told:
    """A worker's vitals."""

    def __init__(self, readiness: Readiness) -> None:
        self._readiness = readiness

    async def readiness(self) -> Readiness:
        return self._readiness

    async def metrics(self) -> bytes:
        return b""


@asynccontextmanager
async def serving(path: Path, readiness: Readiness):
    server = WebServer(path, Told(readiness))
    server.bind()
    async with asyncio.TaskGroup() as group:
        group.create_task(server.serve())
        yield
        await server.stop(1)


async def gathered(tmp_path: Path, *told: Readiness | None) -> tuple[bool, dict[str, str]]:
    from contextlib import AsyncExitStack

    sockets = {
        f"worker {number}": tmp_path / f"{number}.sock" for number in range(1, len(told) + 1)
    }
    async with AsyncExitStack() as stack:
        for path, readiness in zip(sockets.values(), told, strict=True):
            if readiness:
                await stack.enter_async_context(serving(path, readiness))
        vitals = GatheredVitals(None, None, None, None, SystemClock(), sockets)
        found = await vitals.readiness()
    return found.ready, found.checks


async def test_all_ready(tmp_path: Path) -> None:
    assert await gathered(tmp_path, READY, READY) == (
        True,
        {"worker 1": "ok", "worker 2": "ok", "store": "ok", "upstream out": "ok"},
    )


async def test_one_that_is_gone_is_named_and_the_other_will_do(tmp_path: Path) -> None:
    ready, checks = await gathered(tmp_path, None, READY)
    assert ready
    assert checks["worker 1"] == "no answer"


async def test_what_one_finds_wrong_is_told_even_where_another_is_ready(tmp_path: Path) -> None:
    for told in ((READY, UPSET), (UPSET, READY)):
        ready, checks = await gathered(tmp_path, *told)
        assert ready
        assert checks["store"] == "no answer"
        assert "not ready" in checks.values()


async def test_none_ready(tmp_path: Path) -> None:
    assert (await gathered(tmp_path, UPSET, UPSET))[0] is False
    assert (await gathered(tmp_path, None, None))[0] is False


async def test_one_that_hangs_is_not_waited_for_where_another_is_ready(tmp_path: Path) -> None:
    held = []
    silent = await asyncio.start_unix_server(
        lambda reader, writer: held.append(writer), tmp_path / "1.sock"
    )
    async with silent, serving(tmp_path / "2.sock", READY):
        sockets = {f"worker {number}": tmp_path / f"{number}.sock" for number in (1, 2)}
        vitals = GatheredVitals(None, None, None, None, SystemClock(), sockets)
        found = await asyncio.wait_for(vitals.readiness(), gathering.ASK_S / 2)
        for writer in held:
            writer.close()
    assert found.ready
    assert [found.checks[name] for name in sockets] == ["no answer", "ok"]


async def test_one_that_says_nothing_is_not_waited_for_beyond_the_deadline(
    tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr("relay.serving.gathering.ASK_S", 0.3)
    held = []
    silent = await asyncio.start_unix_server(
        lambda reader, writer: held.append(writer), tmp_path / "1.sock"
    )
    garbage = await asyncio.start_unix_server(
        lambda reader, writer: (writer.write(b"hello"), writer.close()), tmp_path / "2.sock"
    )
    async with silent, garbage, serving(tmp_path / "3.sock", READY):
        sockets = {f"worker {number}": tmp_path / f"{number}.sock" for number in (1, 2, 3)}
        vitals = GatheredVitals(None, None, None, None, SystemClock(), sockets)
        found = await asyncio.wait_for(vitals.readiness(), 5)
        for writer in held:
            writer.close()
    assert found.ready
    assert [found.checks[name] for name in sockets] == ["no answer", "no answer", "ok"]
    assert json.dumps(found.checks)
