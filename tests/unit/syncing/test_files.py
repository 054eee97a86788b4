"""Which files are synced, when the server is asked, and what counts as failed."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from relay.syncing import files as files_module
from relay.syncing.files import Files


class Syncs:
    """Stands in for the system call: notes what is synced, or fails."""

    def __init__(self):
        self.inodes = []
        self.fails = False

    def __call__(self, descriptor):
        if self.fails:
            raise OSError(errno.EIO, "Input/output error")
        self.inodes.append(os.fstat(descriptor).st_ino)


@pytest.fixture
def syncs(monkeypatch):
    found = Syncs()
    monkeypatch.setattr(files_module, "_SYNC", found)
    return found


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def files(tmp_path):
    (tmp_path / "store.aof.1.incr.aof").write_bytes(b"1")
    made = Files(str(tmp_path))
    yield made
    made.close()


def test_every_file_that_is_appended_to_is_synced_and_no_other(tmp_path, files, syncs):
    (tmp_path / "store.aof.1.base.rdb").write_bytes(b"base")
    files.sync(None)
    (tmp_path / "store.aof.2.incr.aof").write_bytes(b"2")
    files.sync(None)
    (tmp_path / "store.aof.1.incr.aof").unlink()
    files.sync(None)
    second = (tmp_path / "store.aof.2.incr.aof").stat().st_ino
    assert len(syncs.inodes) == 4
    assert syncs.inodes.count(second) == 2
    assert syncs.inodes[-1] == second


def test_no_file_at_all_is_an_error_until_there_is_one_again(tmp_path, files, syncs):
    files.sync(None)
    file = tmp_path / "store.aof.1.incr.aof"
    file.unlink()
    for look in (files.lengths, lambda: files.sync(None)):
        with pytest.raises(FileNotFoundError, match="the file of the store is gone"):
            look()
    file.write_bytes(b"1")
    files.sync(None)


def test_a_directory_that_was_deleted_and_made_again_is_another_servers(tmp_path, syncs):
    appended = tmp_path / "store" / "appendonlydir"
    appended.mkdir(parents=True)
    (appended / "store.aof.1.incr.aof").write_bytes(b"1")
    files = Files(str(appended))
    files.sync(None)
    (tmp_path / "store").rename(tmp_path / "gone")
    appended.mkdir(parents=True)
    (appended / "store.aof.1.incr.aof").write_bytes(b"1")
    with pytest.raises(OSError, match="another one"):
        files.sync(None)
    files.close()


def test_descriptors_are_kept_for_files_that_are_there_and_for_no_others(tmp_path, files, syncs):
    before = descriptors()
    for number in range(2, 30):
        (tmp_path / f"store.aof.{number}.incr.aof").write_bytes(b"x")
        (tmp_path / f"store.aof.{number - 1}.incr.aof").unlink()
        files.sync(None)
    assert descriptors() == before + 1
    files.close()
    assert descriptors() == before


def test_the_server_is_asked_when_the_files_are_known_and_before_they_are_synced(
    tmp_path, files, syncs
):
    def check():
        assert syncs.inodes == []
        (tmp_path / "store.aof.9.incr.aof").write_bytes(b"after the list was read")

    files.sync(check)
    assert len(syncs.inodes) == 1


def test_what_the_server_could_not_write_is_an_error(files, syncs):
    def check():
        raise OSError(errno.EIO, "could not write")

    with pytest.raises(OSError, match="could not write"):
        files.sync(check)


def test_a_sync_that_fails_and_a_directory_that_is_not_there_are_errors(tmp_path, files, syncs):
    syncs.fails = True
    with pytest.raises(OSError, match="Input/output"):
        files.sync(None)
    syncs.fails = False
    files.sync(None)
    with pytest.raises(FileNotFoundError):
        Files(str(tmp_path / "none")).sync(None)


def test_a_full_disk_is_an_error(files, syncs, monkeypatch):
    monkeypatch.setattr(files_module, "SPARE_BYTES", 1 << 62)
    with pytest.raises(OSError, match="full") as full:
        files.sync(None)
    assert full.value.errno == errno.ENOSPC


def test_a_real_file_is_synced_by_the_real_call(tmp_path, files):
    files.sync(None)
