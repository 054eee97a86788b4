"""The embedded server: one owner, no orphans, nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest
import redis

from relay.core.config import StoreConfig
from relay.core.errors import StoreTrouble
from relay.core.quota.reservation import Verdict
from relay.store import StoreUnusable, attach, open_store
from relay.store.embedded import server_process
from relay.store.embedded import store as embedded
from relay.store.embedded.server_process import _WATCHER
from relay.store.embedded.store import EmbeddedStore
from relay.store.ownership import Home
from relay.store.troubles import SecondOwner
from relay.syncing import files
from relay.syncing.files import Files
from relay.syncing.written import Written
from tests.contract.world import HandClock, World, fresh_route, policy
from tests.faults.store_given import pid_of_server, recovers_within, troubled
from tests.faults.store_owner import ROUTE
from tests.harness.processes import Child
from tests.harness.sync_thread import SyncThread
from tests.harness.waiting import until

ROOT = Path(__file__).resolve().parents[2]
DEAF = "trap '' TERM; exec sleep 60"


@asynccontextmanager
async def embedded_world(data_dir: Path, *, share: bool = False):
    clock = HandClock()
    store = await open_store(StoreConfig(), data_dir, clock, share=share)
    try:
        yield World(store, clock, fresh_route(policy((0, None))))
    finally:
        await store.close()


@asynccontextmanager
async def running(world: World):
    """With the store's own task, as the relay has it."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(world.store.run(stop))
        try:
            yield
        finally:
            stop.set()


@pytest.fixture
def owner(tmp_path):
    """A relay-like process with its embedded store, loading it with reservations."""
    command = [sys.executable, "-m", "tests.faults.store_owner", str(tmp_path / "var")]
    child = Child(command, tmp_path / "owner.log", cwd=ROOT)
    until(lambda: said(child), "the owner to serve", detail=child.tail)
    yield child
    child.end()


def said(child: Child) -> list[int]:
    """The acknowledged counts, after the line with the server's pid."""
    lines = child.log.read_text().splitlines()
    return [int(line) for line in lines if line.isdigit()]


def server_of(child: Child) -> int:
    first = child.log.read_text().splitlines()[0].split()
    assert first[0] == "server", child.tail()
    return int(first[1])


def lives(pid: int) -> bool:
    """Whether `pid` runs; a zombie that nobody has reaped does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"


def watchers_of(pid: int) -> list[int]:
    """The watchers that would kill `pid`."""
    wanted = [b"warmup-relay-store-watcher", str(pid).encode()]
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if entry.read_bytes().split(b"\0")[3:5] == wanted:
                found.append(int(entry.parent.name))
    return found


def sockets_of(pid: int, *tables: str) -> set[str]:
    """The inodes of the sockets of these kinds that `pid` holds."""
    held = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            held.add(str(entry.readlink()))
    rows = [row for t in tables for row in Path(f"/proc/{pid}/net/{t}").read_text().splitlines()]
    words = {f"socket:[{word}]" for row in rows for word in row.split()}
    return held & words


async def test_a_store_opens_counts_and_remembers_over_a_restart(tmp_path):
    async with embedded_world(tmp_path) as world:
        await world.send(3)
        route = world.route
        pid = await pid_of_server(world)
        assert lives(pid)
        assert len(watchers_of(pid)) == 1
    assert not lives(pid)
    assert watchers_of(pid) == []
    assert not Home(tmp_path).pointer.exists()
    async with embedded_world(tmp_path) as world:
        world.route = route
        assert (await world.standing()).sent == 3


async def test_the_server_listens_on_no_port_and_in_a_private_directory(tmp_path):
    async with embedded_world(tmp_path) as world:
        path = Home(tmp_path).noted_socket()
        assert path.stat().st_mode & 0o777 == 0o700
        assert not sockets_of(world.store._embedded.pid, "tcp", "tcp6")
        assert sockets_of(world.store._embedded.pid, "unix")


async def test_a_second_owner_is_refused_at_once_and_told_by_whom(tmp_path):
    async with embedded_world(tmp_path) as world:
        began = time.monotonic()
        with pytest.raises(SecondOwner, match=f"process {os.getpid()}"):
            await open_store(StoreConfig(), tmp_path, HandClock())
        assert time.monotonic() - began < 2
        await world.granted(1)


async def test_a_command_line_shares_the_store_of_a_running_relay(tmp_path):
    async with embedded_world(tmp_path) as world:
        await world.granted(7)
        assert attach(tmp_path).startswith("unix://")
        async with embedded_world(tmp_path, share=True) as beside:
            beside.route = world.route
            assert (await beside.standing()).charged == 7
        await world.granted(1)
    assert attach(tmp_path) is None


async def test_a_command_line_alone_opens_the_store_itself(tmp_path):
    async with embedded_world(tmp_path, share=True) as world:
        await world.granted(1)
        assert world.store._embedded is not None


async def test_the_store_of_a_command_stays_until_the_commands_that_use_it_have_ended(tmp_path):
    config, clock = StoreConfig(None), HandClock()
    owner = await open_store(config, tmp_path, clock, share=True)
    borrower = await open_store(config, tmp_path, clock, share=True)
    ending = asyncio.create_task(owner.close())
    await asyncio.sleep(0.3)
    assert not ending.done()
    assert await borrower.ping()
    await borrower.close()
    await asyncio.wait_for(ending, 10)
    assert attach(tmp_path) is None


async def test_the_store_of_a_command_does_not_stay_for_a_borrower_without_end(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(embedded, "BORROWERS_S", 0.2)
    config, clock = StoreConfig(None), HandClock()
    owner = await open_store(config, tmp_path, clock, share=True)
    borrower = await open_store(config, tmp_path, clock, share=True)
    await asyncio.wait_for(owner.close(), 10)
    assert not await borrower.ping()
    await borrower.close()


async def test_a_data_directory_with_a_very_long_path_works(tmp_path):
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    async with embedded_world(deep) as world:
        await world.granted(1)
        async with embedded_world(deep, share=True) as beside:
            assert await beside.store.ping()
        short = Home(deep).noted_socket().parent
        assert short.exists()
    assert not short.exists()


async def test_a_socket_that_a_crash_left_behind_is_no_obstacle(tmp_path):
    home = Home(tmp_path)
    home.prepare()
    home.socket().write_text("stale")
    home.lock.write_text("4711\n")
    async with embedded_world(tmp_path) as world:
        await world.granted(1)


async def test_a_server_that_dies_is_started_again_and_mail_is_deferred_meanwhile(tmp_path):
    async with embedded_world(tmp_path) as world, running(world):
        await world.send(5)
        for _ in range(2):
            pid = await pid_of_server(world)
            os.kill(pid, signal.SIGKILL)
            await troubled(world.reserve(1))
            await recovers_within(world, 2.0)
            assert await pid_of_server(world) != pid
            assert watchers_of(pid) == []
        standing = await world.standing()
        assert (standing.sent, standing.charged) == (5, 7)


@contextmanager
def syncing_here(data_dir: Path, files: Files) -> Iterator[None]:
    """The store's syncs are done in a thread of the test, on its socket, with `files`."""
    home = Home(data_dir)
    written = Written(lambda: str(home.noted_socket()), 2.0)
    thread = SyncThread(home.noted_sync_socket(), lambda: files.sync(written.check))
    try:
        yield
    finally:
        thread.end()


@pytest.mark.parametrize("how", ["as its owner", "by its url", "shared"])
async def test_a_reservation_is_on_the_disk_when_it_is_said_to_last(how, tmp_path, monkeypatch):
    synced = []

    def note(descriptor: int) -> None:
        synced.append(os.fstat(descriptor).st_size)

    monkeypatch.setattr(files, "_SYNC", note)
    async with embedded_world(tmp_path) as owner:
        with syncing_here(tmp_path, Files(str(Home(tmp_path).appended))):
            world = owner
            if how != "as its owner":
                url = owner.store._embedded.url if how == "by its url" else None
                store = await open_store(StoreConfig(url), tmp_path, HandClock(), share=True)
                world = World(store, owner.clock, owner.route)
            for _ in range(3):
                before = len(synced)
                await world.granted(1)
                file = next(tmp_path.glob("store/appendonlydir/*.incr.aof"))
                assert synced[before:] == [file.stat().st_size]
            if world is not owner:
                await world.store.close()


async def test_a_reservation_that_cannot_be_synced_does_not_last(tmp_path, monkeypatch):
    async with embedded_world(tmp_path) as world:
        monkeypatch.setattr(files, "SPARE_BYTES", 1 << 62)
        with syncing_here(tmp_path, Files(str(Home(tmp_path).appended))):
            granted = await world.reserve(1)
            with pytest.raises(StoreTrouble):
                await world.store.lasts(granted.reservation)
            monkeypatch.undo()
            await world.settle(granted.reservation, Verdict.REFUND)
            assert (await world.standing()).charged == 0


async def test_reservations_go_on_and_are_kept_while_the_server_writes_its_file_anew(tmp_path):
    async with embedded_world(tmp_path) as world, running(world):
        url = f"unix://{world.store._embedded._socket}"
        with redis.Redis.from_url(url) as raw:
            before = set(tmp_path.glob("store/appendonlydir/*.incr.aof"))
            for _ in range(3):
                raw.bgrewriteaof()
                await asyncio.gather(*(world.granted(1) for _ in range(100)))
                while raw.info("persistence")["aof_rewrite_in_progress"]:
                    await world.granted(1)
        assert before.isdisjoint(tmp_path.glob("store/appendonlydir/*.incr.aof"))
        charged = (await world.standing()).charged
        assert charged >= 300
        os.kill(await pid_of_server(world), signal.SIGKILL)
        await recovers_within(world, 2.0)
        assert (await world.standing()).charged == charged + 1


async def test_a_killed_server_has_lost_no_acknowledged_charge(tmp_path):
    async with embedded_world(tmp_path) as world, running(world):
        asked = acknowledged = 0
        enough, killed = asyncio.Event(), asyncio.Event()

        async def load():
            nonlocal asked, acknowledged
            for _ in range(2000):
                asked += 1
                with suppress(Exception):
                    reservation = await world.granted(1)
                    acknowledged += 1
                    if acknowledged == 500:
                        enough.set()
                    await world.settle(reservation, Verdict.SENT)
                if killed.is_set():
                    return

        async def kill():
            await enough.wait()
            os.kill(await pid_of_server(world), signal.SIGKILL)
            killed.set()

        await asyncio.gather(kill(), *(load() for _ in range(16)))
        at_kill = (asked, acknowledged)
        await recovers_within(world, 2.0)
        standing = await world.standing()
        assert at_kill[1] + 1 <= standing.charged <= at_kill[0] + 1
        assert standing.lifetime <= standing.charged


async def test_when_the_relay_is_killed_its_server_dies(owner):
    pid = server_of(owner)
    assert lives(pid)
    owner.kill()
    until(lambda: not lives(pid), "the server to die", timeout_s=5)
    until(lambda: not watchers_of(pid), "the watcher to end", timeout_s=5)


async def test_the_kernel_alone_would_end_the_server_in_order(owner, tmp_path):
    pid = server_of(owner)
    (watcher,) = watchers_of(pid)
    os.kill(watcher, signal.SIGKILL)
    owner.kill()
    until(lambda: not lives(pid), "the server to die", timeout_s=5)
    log = Home(tmp_path / "var").log.read_text()
    assert "SIGTERM" in log, "it was asked to end, and had read by then what it was sent"


@pytest.mark.parametrize(
    ("server", "signal_wanted"), [("exec sleep 60", signal.SIGTERM), (DEAF, signal.SIGKILL)]
)
def test_the_watcher_alone_would_end_the_server_and_kill_one_that_does_not_hear(
    tmp_path, server, signal_wanted
):
    sleeper = Child(["/bin/sh", "-c", server], tmp_path / "sleeper.log")
    command = ["/bin/sh", "-c", f"sleep 0.2 | /bin/sh -c '{_WATCHER}' watcher {sleeper.pid}"]
    watcher = Child(command, tmp_path / "watcher.log")
    assert sleeper.wait(10) == -signal_wanted
    watcher.wait(5)


async def test_a_killed_relay_has_lost_no_charge_and_its_place_is_taken_at_once(owner, tmp_path):
    await asyncio.to_thread(until, lambda: len(said(owner)) > 200, "some load")
    owner.kill()
    acknowledged = said(owner)[-1]
    began = time.monotonic()
    async with embedded_world(tmp_path / "var") as world:
        assert time.monotonic() - began < 3
        world.route = ROUTE
        assert acknowledged <= (await world.standing()).charged <= acknowledged + 1


async def test_a_new_owner_waits_for_a_server_that_takes_its_time_to_die(tmp_path):
    first = await EmbeddedStore.start(tmp_path)
    # The relay is gone, its server not yet: what a crash looks like for a moment.
    first._owner.close()
    starting = asyncio.create_task(EmbeddedStore.start(tmp_path))
    await asyncio.sleep(0.5)
    assert not starting.done()
    first._process.kill()
    second = await starting
    await second.stop()


async def test_the_owner_of_a_stopped_relay_is_named_to_a_second_process(owner, tmp_path):
    with pytest.raises(SecondOwner) as refused:
        await EmbeddedStore.start(tmp_path / "var")
    assert refused.value.pid == owner.pid


async def test_a_server_whose_watcher_cannot_be_run_is_ended_and_another_one_started(
    tmp_path, monkeypatch
):
    refused, watch = [], server_process._watch

    def refuses_once(pid):
        if refused:
            return watch(pid)
        refused.append(pid)
        raise OSError(errno.EMFILE, "Too many open files")

    async with embedded_world(tmp_path) as world, running(world):
        monkeypatch.setattr(server_process, "_watch", refuses_once)
        os.kill(await pid_of_server(world), signal.SIGKILL)
        await troubled(world.reserve(1))
        await recovers_within(world, 10)
    assert [lives(pid) for pid in refused] == [False]


async def test_a_file_in_the_way_of_the_server_is_told_and_the_relay_goes_on(tmp_path, caplog):
    in_the_way = Home(tmp_path).directory / "server.sock"
    async with embedded_world(tmp_path) as world, running(world):
        in_the_way.unlink()
        in_the_way.mkdir()
        os.kill(await pid_of_server(world), signal.SIGKILL)
        told = partial(until, lambda: "does not start: cannot use" in caplog.text, "the reason")
        await asyncio.to_thread(told)
        in_the_way.rmdir()
        await recovers_within(world, 10)


async def test_a_file_cut_short_by_a_crash_is_loaded_and_told_of(tmp_path, caplog):
    async with embedded_world(tmp_path) as world:
        await world.granted(1)
        await world.granted(1)
        route = world.route
    (increment,) = Home(tmp_path).directory.glob("appendonlydir/*.incr.aof")
    increment.write_bytes(increment.read_bytes()[:-7])
    caplog.set_level(logging.WARNING, "relay.store")
    async with embedded_world(tmp_path) as world:
        world.route = route
        assert (await world.standing()).charged == 1
    assert "cut short" in caplog.text


async def test_a_damaged_file_is_refused_with_what_the_server_said_of_it(tmp_path):
    async with embedded_world(tmp_path) as world:
        for _ in range(20):
            await world.granted(1)
    (increment,) = Home(tmp_path).directory.glob("appendonlydir/*.incr.aof")
    content = bytearray(increment.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 40] = b"\0" * 40
    increment.write_bytes(content)
    with pytest.raises(StoreUnusable, match="Bad file format"):
        await open_store(StoreConfig(), tmp_path, HandClock())
    increment.unlink()
    for file in increment.parent.iterdir():
        file.unlink()
    async with embedded_world(tmp_path) as world:
        await world.granted(1)


async def test_a_server_that_does_not_stop_is_ended_within_the_deadline(tmp_path, monkeypatch):
    monkeypatch.setattr("relay.store.embedded.store.STOP_S", 0.5)
    async with embedded_world(tmp_path) as world:
        await world.granted(1)
        pid = await pid_of_server(world)
        os.kill(pid, signal.SIGSTOP)
        began = time.monotonic()
    assert time.monotonic() - began < 2
    assert not lives(pid)
