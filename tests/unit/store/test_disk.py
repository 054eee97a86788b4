"""When a reservation is on the disk: after it was answered, with others, or not at all."""

from __future__ import annotations

import asyncio
import gc
import socket
from contextlib import asynccontextmanager
from threading import Event

import pytest

from relay.concurrency import company as company_module
from relay.core.errors import StoreTrouble
from relay.store.embedded import disk as disk_module
from relay.store.embedded.disk import Disk
from tests.harness.sync_thread import SyncThread


class Syncs:
    """Stands in for the sync: counts, can be held up, and can fail."""

    def __init__(self) -> None:
        self.count = 0
        self.of_files = 0
        self.go = Event()
        self.go.set()
        self.error: OSError | None = None

    def __call__(self) -> None:
        assert self.go.wait(5)
        if self.error:
            raise self.error
        self.count += 1

    def files(self) -> None:
        self.of_files += 1


@pytest.fixture
def syncs():
    found = Syncs()
    yield found
    found.go.set()


@asynccontextmanager
async def disk_of(tmp_path, syncs, timeout_s=2.0):
    thread = SyncThread(tmp_path / "s", syncs, syncs.files)
    disk = Disk(lambda: tmp_path / "s", timeout_s)
    try:
        yield disk
    finally:
        await disk.close()
        await asyncio.to_thread(thread.end)


async def counts(syncs, wanted):
    for _ in range(200):
        if syncs.count >= wanted:
            break
        await asyncio.sleep(0.01)
    assert syncs.count == wanted


async def test_those_who_wait_together_share_a_sync(tmp_path, syncs):
    async with disk_of(tmp_path, syncs) as disk:
        await asyncio.gather(*(disk.reached() for _ in range(50)))
        assert syncs.count == 2, "the first begins at once, and the others share the next"


async def test_those_of_a_crowd_share_one_with_those_who_are_coming(tmp_path, syncs, monkeypatch):
    monkeypatch.setattr(company_module, "PATIENCE_S", 5.0)
    async with disk_of(tmp_path, syncs) as disk:
        await asyncio.gather(*(disk.reached() for _ in range(50)))
        assert syncs.count == 2
        disk.company.charging = 1
        begun = [disk.begin() for _ in range(3)]
        await asyncio.sleep(0.05)
        assert syncs.count == 2, "one more is coming"
        disk.company.charging = 0
        await asyncio.gather(disk.reached(), *begun)
        assert syncs.count == 3


async def test_nobody_is_waited_for_in_vain_twice(tmp_path, syncs):
    async with disk_of(tmp_path, syncs) as disk:
        await asyncio.gather(*(disk.reached() for _ in range(50)))
        disk.company.charging = 1
        await disk.reached()
        begun = disk.begin()
        for _ in range(500):  # the loop has no turn meanwhile
            if syncs.count == 4:
                break
            Event().wait(0.01)
        assert syncs.count == 4
        await disk.ended(begun)


async def test_one_that_begins_for_what_nobody_waits_for_takes_those_who_wait(
    tmp_path, syncs, monkeypatch
):
    monkeypatch.setattr(company_module, "PATIENCE_S", disk_module.LAZY_S * 2)
    async with disk_of(tmp_path, syncs) as disk:
        await asyncio.gather(*(disk.reached() for _ in range(50)))
        disk.company.charging = 1
        disk.soon()
        await disk.reached()
        await asyncio.sleep(disk_module.LAZY_S * 3)  # patience has ended, and nobody waits
        assert syncs.count == 3


async def test_whoever_comes_during_a_sync_waits_for_the_next(tmp_path, syncs):
    async with disk_of(tmp_path, syncs) as disk:
        syncs.go.clear()
        first = asyncio.create_task(disk.reached())
        await asyncio.sleep(0.05)
        later = [asyncio.create_task(disk.reached()) for _ in range(10)]
        await asyncio.sleep(0)
        syncs.go.set()
        await asyncio.gather(first, *later)
        assert syncs.count == 2


async def test_it_begins_before_whoever_began_it_goes_on(tmp_path, syncs):
    async with disk_of(tmp_path, syncs) as disk:
        begun = disk.begin()
        for _ in range(500):  # the loop has no turn meanwhile
            if syncs.count:
                break
            Event().wait(0.01)
        assert syncs.count == 1
        assert not begun.done()
        await disk.ended(begun)
        assert syncs.count == 1


async def test_what_nobody_waits_for_is_synced_in_a_moment_and_only_once(tmp_path, syncs):
    async with disk_of(tmp_path, syncs) as disk:
        for _ in range(20):
            disk.soon()
        assert not syncs.count
        await asyncio.sleep(disk_module.LAZY_S + 0.2)
        assert syncs.count == 1


async def test_a_sync_that_somebody_waits_for_does_for_the_others_too(tmp_path, syncs):
    async with disk_of(tmp_path, syncs) as disk:
        disk.soon()
        await disk.reached()
        await asyncio.sleep(disk_module.LAZY_S + 0.2)
        assert syncs.count == 1


async def test_what_came_while_a_sync_was_under_way_is_synced_too(tmp_path, syncs):
    async with disk_of(tmp_path, syncs) as disk:
        syncs.go.clear()
        begun = disk.begin()
        disk.soon()
        await asyncio.sleep(disk_module.LAZY_S + 0.1)
        syncs.go.set()
        await disk.ended(begun)
        await counts(syncs, 2)


async def test_a_failure_that_nobody_waits_for_is_not_reported_as_a_fault(tmp_path, syncs, caplog):
    async with disk_of(tmp_path, syncs) as disk:
        syncs.error = OSError(5, "Input/output error")
        begun = disk.begin()
        with pytest.raises(StoreTrouble):
            await disk.reached()
        assert begun.done()
        del begun
        gc.collect()
    assert "never retrieved" not in caplog.text


async def test_a_disk_that_fails_is_trouble_and_so_is_one_that_hangs(tmp_path, syncs):
    async with disk_of(tmp_path, syncs, timeout_s=0.2) as disk:
        syncs.error = OSError(5, "Input/output error")
        with pytest.raises(StoreTrouble) as trouble:
            await disk.reached()
        assert "Input/output error" in str(trouble.value.__cause__)
        syncs.error = None
        await disk.reached()
        syncs.go.clear()
        with pytest.raises(StoreTrouble):
            await disk.reached()
        syncs.go.set()
        await disk.reached()


async def test_after_a_failure_nothing_is_allowed_until_a_sync_goes_well(tmp_path, syncs):
    async with disk_of(tmp_path, syncs) as disk:
        await disk.allows()
        assert syncs.count == 0, "it costs nothing while all is well"
        syncs.error = OSError(28, "full")
        with pytest.raises(StoreTrouble):
            await disk.reached()
        with pytest.raises(StoreTrouble):
            await disk.allows()
        syncs.error = None
        await disk.allows()
        await disk.allows()
        assert syncs.count == 1


async def test_a_failure_that_nobody_waited_for_is_noted_too(tmp_path, syncs):
    async with disk_of(tmp_path, syncs) as disk:
        syncs.error = OSError(28, "full")
        disk.soon()
        await asyncio.sleep(disk_module.LAZY_S + 0.2)
        with pytest.raises(StoreTrouble):
            await disk.allows()


async def test_the_last_sync_asks_no_server_and_is_the_last(tmp_path, syncs):
    async with disk_of(tmp_path, syncs) as disk:
        await disk.reached()
        disk.soon()
    assert (syncs.count, syncs.of_files) == (1, 1)
    disk.soon()
    await asyncio.sleep(disk_module.LAZY_S + 0.1)
    assert (syncs.count, syncs.of_files) == (1, 1)


# -- the process that syncs ends, or is not there ---------------------------------------------


async def test_with_nobody_who_syncs_it_is_trouble_at_once_and_then_comes_back(tmp_path, syncs):
    disk = Disk(lambda: tmp_path / "s", 5.0)
    for _ in range(3):
        with pytest.raises(StoreTrouble):
            async with asyncio.timeout(1):
                await disk.reached()
    async with disk_of(tmp_path, syncs):
        await disk.allows()
        await disk.reached()
    with pytest.raises(StoreTrouble):
        await disk.reached()
    await disk.close()


async def test_nobody_owns_the_store(tmp_path):
    disk = Disk(lambda: None, 1.0)
    with pytest.raises(StoreTrouble) as trouble:
        await disk.reached()
    assert "no relay owns" in str(trouble.value.__cause__)
    await disk.close()


class Accepting:
    """Listens as the owner does; `serve` is what accepts one connection after another."""

    def __init__(self, path, *answers):
        self.asked = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._answers = answers

    def serve(self):
        self._listener.settimeout(5)
        for answer in self._answers:
            connection, _ = self._listener.accept()
            with connection:
                self.asked.append(connection.recv(10))
                connection.sendall(answer)
        self._listener.close()


async def test_what_the_process_did_not_answer_before_it_died_is_asked_of_the_next(tmp_path):
    process = Accepting(tmp_path / "s", b"", b"0 \n")
    disk = Disk(lambda: tmp_path / "s", 5.0)
    begun = disk.begin()
    await asyncio.to_thread(process.serve)
    await disk.ended(begun)
    assert process.asked == [b"s", b"s"]
    await disk.close()


async def test_processes_that_die_of_it_are_trouble(tmp_path):
    process = Accepting(tmp_path / "s", b"", b"0")
    disk = Disk(lambda: tmp_path / "s", 5.0)
    begun = disk.begin()
    await asyncio.to_thread(process.serve)
    with pytest.raises(StoreTrouble) as trouble:
        await disk.ended(begun)
    assert "ended" in str(trouble.value.__cause__)
    assert process.asked == [b"s", b"s"]
    await disk.close()


async def test_a_process_that_hangs_is_trouble_within_the_deadline(tmp_path):
    silent = socket.socket(socket.AF_UNIX)
    silent.bind(str(tmp_path / "s"))
    silent.listen()
    disk = Disk(lambda: tmp_path / "s", 0.2)
    for _ in range(2):
        async with asyncio.timeout(1):
            with pytest.raises(StoreTrouble):
                await disk.reached()
    async with asyncio.timeout(1):
        await disk.close()
    silent.close()
