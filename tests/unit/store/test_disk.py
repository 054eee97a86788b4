"""When a reservation is on the disk: after it was answered, with others, or not at all."""

from __future__ import annotations

import asyncio
import gc
import os
from contextlib import asynccontextmanager
from threading import Event

import pytest

from relay.core.errors import StoreTrouble
from relay.store import disk as disk_module
from relay.store.disk import Disk


class Syncs:
    """Stands in for the system call: counts what is synced, and can be held up."""

    def __init__(self) -> None:
        self.inodes: list[int] = []
        self.go = Event()
        self.go.set()
        self.fails = False

    def __call__(self, descriptor: int) -> None:
        assert self.go.wait(5)
        if self.fails:
            raise OSError(5, "Input/output error")
        self.inodes.append(os.fstat(descriptor).st_ino)


class Fine:
    """A server that could write, until it `fails`."""

    def __init__(self) -> None:
        self.fails = False
        self.asked = 0

    def check(self) -> None:
        self.asked += 1
        if self.fails:
            raise OSError(5, "could not write")

    def close(self) -> None:
        """Nothing to close."""


@pytest.fixture
def syncs(monkeypatch):
    found = Syncs()
    monkeypatch.setattr(disk_module, "_SYNC", found)
    yield found
    found.go.set()


@asynccontextmanager
async def disk_in(directory, timeout_s=2.0, written=None):
    (directory / "store.aof.1.incr.aof").write_bytes(b"1")
    disk = Disk(directory, timeout_s, written or Fine())
    try:
        yield disk
    finally:
        await disk.close()


async def test_those_who_wait_together_share_one_sync(tmp_path, syncs):
    async with disk_in(tmp_path) as disk:
        await asyncio.gather(*(disk.reached() for _ in range(50)))
        assert len(syncs.inodes) == 1


async def test_whoever_comes_during_a_sync_waits_for_the_next(tmp_path, syncs):
    async with disk_in(tmp_path) as disk:
        syncs.go.clear()
        first = asyncio.create_task(disk.reached())
        await asyncio.sleep(0.05)
        later = [asyncio.create_task(disk.reached()) for _ in range(10)]
        await asyncio.sleep(0)
        syncs.go.set()
        await asyncio.gather(first, *later)
        assert len(syncs.inodes) == 2


async def test_every_file_that_is_appended_to_is_synced_and_no_other(tmp_path, syncs):
    async with disk_in(tmp_path) as disk:
        (tmp_path / "store.aof.1.base.rdb").write_bytes(b"base")
        await disk.reached()
        (tmp_path / "store.aof.2.incr.aof").write_bytes(b"2")
        await disk.reached()
        (tmp_path / "store.aof.1.incr.aof").unlink()
        await disk.reached()
        second = (tmp_path / "store.aof.2.incr.aof").stat().st_ino
        assert len(syncs.inodes) == 4
        assert syncs.inodes.count(second) == 2
        assert syncs.inodes[-1] == second


async def test_what_nobody_waits_for_is_synced_in_a_moment_and_only_once(tmp_path, syncs):
    async with disk_in(tmp_path) as disk:
        for _ in range(20):
            disk.soon()
        assert not syncs.inodes
        await asyncio.sleep(disk_module.LAZY_S + 0.2)
        assert len(syncs.inodes) == 1


async def test_what_was_begun_is_synced_before_it_is_waited_for(tmp_path, syncs):
    async with disk_in(tmp_path) as disk:
        begun = disk.begin()
        for _ in range(100):
            if syncs.inodes:
                break
            await asyncio.sleep(0.01)
        assert len(syncs.inodes) == 1
        await disk.ended(begun)
        assert len(syncs.inodes) == 1


async def test_a_failure_that_nobody_waits_for_is_not_reported_as_a_fault(tmp_path, syncs, caplog):
    async with disk_in(tmp_path) as disk:
        syncs.fails = True
        begun = disk.begin()
        with pytest.raises(StoreTrouble):
            await disk.reached()
        assert begun.done()
        del begun
        gc.collect()
        syncs.fails = False
    assert "never retrieved" not in caplog.text


async def test_a_disk_that_fails_is_trouble_and_so_is_one_that_hangs(tmp_path, syncs):
    async with disk_in(tmp_path, timeout_s=0.2) as disk:
        syncs.fails = True
        with pytest.raises(StoreTrouble):
            await disk.reached()
        syncs.fails = False
        await disk.reached()
        syncs.go.clear()
        with pytest.raises(StoreTrouble):
            await disk.reached()
        syncs.go.set()
        await disk.reached()


async def test_a_full_disk_is_trouble(tmp_path, syncs, monkeypatch):
    async with disk_in(tmp_path) as disk:
        monkeypatch.setattr(disk_module, "SPARE_BYTES", 1 << 62)
        with pytest.raises(StoreTrouble) as trouble:
            await disk.reached()
        assert "full" in str(trouble.value.__cause__)


async def test_what_the_server_could_not_write_is_trouble_and_is_asked_before_the_sync(
    tmp_path, syncs
):
    server = Fine()
    async with disk_in(tmp_path, written=server) as disk:
        await disk.reached()
        server.fails = True
        with pytest.raises(StoreTrouble):
            await disk.reached()
        assert len(syncs.inodes) == 1
        server.fails = False


async def test_after_a_failure_nothing_is_allowed_until_a_sync_goes_well(tmp_path, syncs):
    server = Fine()
    async with disk_in(tmp_path, written=server) as disk:
        await disk.allows()
        assert server.asked == 0, "it costs nothing while all is well"
        server.fails = True
        with pytest.raises(StoreTrouble):
            await disk.reached()
        with pytest.raises(StoreTrouble):
            await disk.allows()
        server.fails = False
        await disk.allows()
        before = server.asked
        await disk.allows()
        assert server.asked == before


async def test_a_failure_that_nobody_waited_for_is_noted_too(tmp_path, syncs):
    async with disk_in(tmp_path) as disk:
        syncs.fails = True
        disk.soon()
        await asyncio.sleep(disk_module.LAZY_S + 0.2)
        with pytest.raises(StoreTrouble):
            await disk.allows()
        syncs.fails = False
