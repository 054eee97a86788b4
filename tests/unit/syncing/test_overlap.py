"""Asking the server and syncing at once: when that is proof, and when all is done in its order."""

from __future__ import annotations

import errno

import pytest

from relay.syncing.files import Files
from relay.syncing.overlap import MOST_PASSED, Overlap

FILE = "store.aof.1.incr.aof"


class Server:
    """Stands in for the one that is asked; `does` is what it does until it has answered."""

    is_connected = True

    def __init__(self, log):
        self._log = log
        self.does = lambda: None
        self.is_fine = True

    def ask(self):
        self._log.append("ask")

    def told(self):
        self.does()
        self._log.append("told")
        return self.is_fine

    def close(self):
        self._log.append("close")

    def check(self):
        self._log.append("check")
        if not self.is_fine:
            raise OSError(errno.EIO, "the store could not write its file")


@pytest.fixture
def log():
    return []


@pytest.fixture
def server(log):
    return Server(log)


@pytest.fixture
def file(tmp_path):
    made = tmp_path / FILE
    made.write_bytes(b"what was there before")
    return made


@pytest.fixture
def files(tmp_path, file, log):
    made = Files(str(tmp_path))
    flush = made.flush

    def logged():
        log.append("flush")
        flush()

    made.flush = logged
    yield made
    made.close()


@pytest.fixture
def overlap(files, server):
    return Overlap(files, server)


AT_ONCE, IN_ORDER = ["ask", "flush", "told"], ["check", "flush"]


def test_files_that_stay_as_they_were_are_synced_while_the_server_is_asked(overlap, log):
    for _ in range(3):
        overlap.sync()
    assert log == AT_ONCE * 3


def test_what_was_written_after_the_sync_began_is_synced_too(overlap, server, file, log):
    """It may be what a failed write had left out: it was answered before, and written now."""
    server.does = lambda: file.write_bytes(file.read_bytes() + b"and what was missing")
    overlap.sync()
    assert log == AT_ONCE + IN_ORDER


@pytest.mark.parametrize("is_kept", [True, False])
def test_another_file_is_synced_too(overlap, server, file, log, is_kept):
    def goes_on_in_another():
        file.with_name("store.aof.2.incr.aof").write_bytes(b"")
        if not is_kept:
            file.unlink()

    server.does = goes_on_in_another
    overlap.sync()
    assert log == AT_ONCE + IN_ORDER


def test_a_server_that_could_not_write_is_an_error(overlap, server, log):
    server.is_fine = False
    with pytest.raises(OSError, match="could not write"):
        overlap.sync()
    assert log == [*AT_ONCE, "check"]


def test_a_server_that_is_not_known_yet_is_asked_first(overlap, server, log):
    server.is_connected = False
    overlap.sync()
    assert log == IN_ORDER


def test_a_sync_that_fails_is_an_error_and_its_answer_is_nobodys(overlap, files, log):
    def fails():
        raise OSError(errno.EIO, "Input/output error")

    flush, files.flush = files.flush, fails
    with pytest.raises(OSError, match="Input/output"):
        overlap.sync()
    assert log == ["ask", "close"]
    files.flush = flush
    overlap.sync()
    assert log[2:] == AT_ONCE


def test_files_that_always_grow_are_hardly_ever_tried(overlap, server, file, log):
    server.does = lambda: file.write_bytes(file.read_bytes() + b"more")
    for _ in range(10 * MOST_PASSED):
        overlap.sync()
    assert log.count("check") == 10 * MOST_PASSED, "each was proven in order"
    assert 10 <= log.count("ask") <= 20
    server.does = lambda: None
    for _ in range(2 * MOST_PASSED + 1):
        overlap.sync()
    assert log[-6:] == AT_ONCE * 2, "and again when it is quiet"
