"""The process that syncs the embedded store's file: killed, stopped, and never outliving its relay.

Nothing over the cap, nothing sent on a charge that was not synced, 451 within the deadline, and
mail again by itself.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from relay.core.config import StoreConfig
from relay.store import StoreUnusable, open_store
from relay.store.embedded import sync_process
from relay.store.embedded.store import EmbeddedStore
from relay.store.ownership import Home
from tests.conftest import MakeRelay
from tests.contract.world import HandClock, World, fresh_route, policy
from tests.faults.store_given import recovers_within, troubled
from tests.faults.store_troubles import Crowd
from tests.faults.test_store_embedded import lives, running
from tests.harness.relay_config import calendar
from tests.harness.relay_process import RelayProcess
from tests.harness.upstream import SinkThread
from tests.harness.waiting import until
from tests.harness.workers import children, is_running, workers

RESIDENT_MB = 13
CAP = 250
DEADLINE_S = 0.5


@asynccontextmanager
async def world_in(data_dir: Path):
    clock = HandClock()
    store = await open_store(StoreConfig(timeout_s=DEADLINE_S), data_dir, clock)
    try:
        yield World(store, clock, fresh_route(policy((0, None))))
    finally:
        await store.close()


def syncing(world: World) -> int:
    return world.store._embedded._syncer.pid


async def soon(probe: Callable[[], bool]) -> None:
    """Wait until it is so, while the loop turns."""
    for _ in range(500):
        if probe():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come")


async def test_it_ends_with_its_store_and_leaves_no_socket(tmp_path):
    async with world_in(tmp_path) as world:
        pid = syncing(world)
        assert lives(pid)
        found = Home(tmp_path).noted_sync_socket().stat()
        assert (found.st_mode & 0o777, found.st_uid) == (0o700, os.getuid())
    assert not lives(pid)
    assert not list(tmp_path.rglob("*.sock"))


async def test_it_is_small_and_has_nothing_of_the_relays_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("RELAY_PASSWORD", "a-secret-of-the-relay")
    async with world_in(tmp_path) as world:
        await world.granted(1)
        process = Path(f"/proc/{syncing(world)}")
        assert b"a-secret" not in (process / "environ").read_bytes()
        status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
        assert int(status["VmRSS"].split()[0]) <= RESIDENT_MB * 1024, status["VmRSS"]
        held = {fd.readlink().suffix for fd in (process / "fd").iterdir()}
        assert ".lock" not in held


async def test_one_that_dies_is_started_again_and_nobody_is_deferred(tmp_path, caplog):
    async with world_in(tmp_path) as world, running(world):
        await world.granted(1)
        for _ in range(2):
            pid = syncing(world)
            os.kill(pid, signal.SIGKILL)
            await soon(lambda was=pid: syncing(world) not in (was, 0))
            await recovers_within(world, 2.0)
    assert caplog.text.count("syncs the store's file ended (code -9)") == 2


async def test_who_waits_while_it_dies_is_served_by_the_next(tmp_path, monkeypatch):
    async with world_in(tmp_path) as world, running(world):
        monkeypatch.setattr(world.store._disk, "_timeout_s", 5.0)
        os.kill(syncing(world), signal.SIGSTOP)
        granted = asyncio.create_task(world.granted(1))
        await asyncio.sleep(0.1)
        assert not granted.done()
        os.kill(syncing(world), signal.SIGKILL)
        await granted


async def test_one_that_hangs_is_trouble_is_ended_and_another_one_serves(tmp_path, caplog):
    async with world_in(tmp_path) as world, running(world):
        await world.granted(1)
        pid = syncing(world)
        os.kill(pid, signal.SIGSTOP)
        assert await troubled(world.granted(1)) < 3 * DEADLINE_S
        await recovers_within(world, DEADLINE_S + sync_process.HUNG_S + 3.0)
        assert not lives(pid)
        assert lives(syncing(world))
        charged = (await world.standing()).charged
        assert charged == 2, "what did not last was given back"
    assert "does not answer" in caplog.text


async def test_an_owner_that_was_itself_stopped_takes_nobody_for_dead(tmp_path, monkeypatch):
    monkeypatch.setattr(sync_process, "HUNG_S", 0.0)
    async with world_in(tmp_path) as world, running(world):
        pid = syncing(world)
        os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(sync_process.LOOK_S * 3)
        time.sleep(4 * DEADLINE_S)  # noqa: ASYNC251  the loop stands still, as the process does
        os.kill(pid, signal.SIGCONT)
        await asyncio.sleep(1.5)
        assert syncing(world) == pid


async def test_a_process_that_cannot_start_is_told_and_nothing_is_left(tmp_path, monkeypatch):
    before = children(os.getpid())
    monkeypatch.setattr(sync_process, "_environment", lambda: {"PYTHONPATH": "/nonexistent"})
    with pytest.raises(StoreUnusable, match=r"ended at once.*No module named"):
        await EmbeddedStore.start(tmp_path)
    assert set(children(os.getpid())) <= set(before)
    monkeypatch.undo()
    async with world_in(tmp_path) as world:
        await world.granted(1)


async def test_one_that_cannot_be_started_again_is_tried_until_it_can(
    tmp_path, monkeypatch, caplog
):
    async with world_in(tmp_path) as world, running(world):
        monkeypatch.setattr(sync_process, "_environment", lambda: {"PYTHONPATH": "/nonexistent"})
        os.kill(syncing(world), signal.SIGKILL)
        await troubled(world.granted(1))
        await soon(lambda: "No module named" in caplog.text)
        monkeypatch.undo()
        await recovers_within(world, 5.0)


# -- of a whole relay ---------------------------------------------------------------------------


def syncers(relay: RelayProcess) -> list[int]:
    """Of this relay, whoever started them."""
    found = []
    for pid in children(relay.child.pid):
        with suppress(OSError):  # it has ended meanwhile
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if b"relay.syncing" in words and is_running(pid):
                found.append(pid)
    return found


def served(make_relay: MakeRelay, sink: SinkThread, count: int) -> RelayProcess:
    relay = make_relay(upstream=sink.url, policies={"ramp": calendar(CAP)})
    relay.options = ("--workers", str(count)) if count > 1 else ()
    return relay.start()


@pytest.mark.parametrize(
    "count",
    [pytest.param(1, id="one process", marks=pytest.mark.slow), pytest.param(2, id="two workers")],
)
def test_it_dies_again_and_again_and_hangs_in_mid_load(
    make_relay: MakeRelay, sink: SinkThread, count: int
) -> None:
    relay = served(make_relay, sink, count)
    with Crowd(relay.port) as crowd:
        until(lambda: len(crowd.after(0, "250")) > 20, "mail to go", detail=relay.log_tail)
        for _ in range(3):
            [pid] = syncers(relay)
            os.kill(pid, signal.SIGKILL)
            killed = time.monotonic()
            until(lambda was=pid: syncers(relay) not in ([], [was]), "another one")
            until(lambda at=killed: crowd.after(at, "250"), "mail to go", detail=relay.log_tail)
        [pid] = syncers(relay)
        os.kill(pid, signal.SIGSTOP)
        stopped = time.monotonic()
        before = len(sink.message_ids())
        until(lambda: crowd.after(stopped, "451 4.3.0"), "mail to be deferred")
        assert len(sink.message_ids()) <= before + 6, "what was synced already, one for each client"
        until(lambda: syncers(relay) not in ([], [pid]), "another one", timeout_s=15)
        again = time.monotonic()
        until(lambda: crowd.after(again, "451 4.7.1"), "the cap", timeout_s=40)
    assert crowd.lost == []
    assert {h.reply for h in crowd.heard} <= {"250 2.0.0", "451 4.3.0", "451 4.7.1"}
    assert max(h.took_s for h in crowd.heard) < 8
    assert len(sink.message_ids()) == len(set(sink.message_ids())) == CAP
    assert relay.status()["emails_sent_today"] == CAP


def test_all_workers_share_one_and_it_ends_with_the_relay_however_that_ends(
    make_relay: MakeRelay, sink: SinkThread
) -> None:
    relay = served(make_relay, sink, 2)
    [pid] = syncers(relay)
    assert len(workers(relay)) == 2
    assert relay.sigterm() == 0
    assert not is_running(pid)
    relay.restart()
    [pid] = syncers(relay)
    os.kill(pid, signal.SIGSTOP)  # so that it is the kernel that ends it
    relay.kill9()
    until(lambda: not is_running(pid), "it to die", timeout_s=5)
