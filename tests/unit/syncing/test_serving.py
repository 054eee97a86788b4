"""One sync for all who had asked when it began, another for those who came since."""

from __future__ import annotations

import errno
import socket
from threading import Event

import pytest

from relay.syncing.wire import FILES, FINE, PING, SYNC, error_in
from tests.harness.sync_thread import SyncThread


class Work:
    """Counts how often it is done; can be held up, and can fail."""

    def __init__(self):
        self.done = 0
        self.began, self.go = Event(), Event()
        self.go.set()
        self.error = None

    def __call__(self):
        self.began.set()
        assert self.go.wait(5)
        self.done += 1
        if self.error:
            raise self.error


@pytest.fixture
def work():
    made = Work()
    yield made
    made.go.set()


@pytest.fixture
def files():
    return Work()


@pytest.fixture
def path(tmp_path, work, files):
    thread = SyncThread(tmp_path / "s", work, files)
    yield tmp_path / "s"
    work.go.set()
    thread.end()


class Asking(socket.socket):
    """One client."""

    def __init__(self, path):
        super().__init__(socket.AF_UNIX)
        self.settimeout(5)
        self.connect(str(path))

    def ask(self, what=SYNC):
        self.sendall(what)

    def heard(self):
        return error_in(self.recv(1000))


@pytest.fixture
def clients(path):
    made = [Asking(path) for _ in range(20)]
    yield made
    for one in made:
        one.close()


def test_one_sync_serves_all_who_asked_before_it_began(work, clients):
    first, *others = clients
    work.go.clear()
    first.ask()
    assert work.began.wait(5)
    for one in others:
        one.ask()
    work.go.set()
    assert [one.heard() for one in clients] == [None] * 20
    assert work.done == 2


def test_whoever_asks_during_a_sync_is_not_answered_by_it(work, clients):
    first, second, *_ = clients
    work.go.clear()
    first.ask()
    assert work.began.wait(5)
    second.ask()
    work.error = OSError(errno.EIO, "of the first one")
    work.began.clear()
    work.go.set()
    assert first.heard().errno == errno.EIO
    assert work.began.wait(5)
    assert second.heard().errno == errno.EIO
    assert work.done == 2


def test_a_failure_is_told_to_all_and_the_next_one_is_tried(work, clients):
    work.error = OSError(errno.ENOSPC, "full")
    clients[0].ask()
    assert clients[0].heard().errno == errno.ENOSPC
    work.error = None
    clients[0].ask()
    assert clients[0].heard() is None


def test_a_ping_syncs_nothing(work, files, clients):
    clients[0].ask(PING)
    assert clients[0].recv(10) == FINE
    assert (work.done, files.done) == (0, 0)


def test_the_files_alone_are_synced_where_the_server_does_not_matter(work, files, clients):
    work.error = OSError(errno.EIO, "the server does not answer")
    clients[0].ask(FILES)
    assert clients[0].heard() is None
    assert (work.done, files.done) == (0, 1)


def test_those_who_leave_disturb_nobody(work, path, clients):
    work.go.clear()
    clients[0].ask()
    assert work.began.wait(5)
    for one in clients[:10]:
        one.ask()
        one.close()
    Asking(path).close()
    work.go.set()
    clients[10].ask()
    assert clients[10].heard() is None


def test_one_who_does_not_read_is_left_and_the_others_are_served(work, clients):
    deaf, other = clients[:2]
    deaf.settimeout(0.2)
    with pytest.raises(OSError):  # noqa: PT011, PT012  left at some time or other
        for _ in range(20_000):
            deaf.ask()
            other.ask()
            assert other.heard() is None
    other.ask()
    assert other.heard() is None
