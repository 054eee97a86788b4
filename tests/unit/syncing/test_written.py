"""Whether the server could write: as it says itself, over a connection that may break."""

from __future__ import annotations

import socket
from threading import Thread

import pytest

from relay.syncing.written import Written

FINE = b"# Persistence\r\naof_enabled:1\r\naof_last_write_status:ok\r\naof_base_size:88\r\n"
FAILED = FINE.replace(b"status:ok", b"status:err")


def bulk(text: bytes) -> bytes:
    return b"$%d\r\n%s\r\n" % (len(text), text)


class Server:
    """Gives the answers in order, in pieces; None closes the connection instead."""

    def __init__(self, path, *answers, step=1000):
        self.asked = 0
        self._answers, self._step = list(answers), step
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while self._answers:
            connection, _ = self._listener.accept()
            with connection:
                self._talk(connection)

    def _talk(self, connection):
        while self._answers and connection.recv(1000) == b"INFO persistence\r\n":
            self.asked += 1
            answer = self._answers.pop(0)
            if answer is None:
                return
            for at in range(0, len(answer), self._step):
                connection.sendall(answer[at : at + self._step])


@pytest.fixture
def asking(tmp_path):
    made = Written(lambda: str(tmp_path / "s"), 1.0)
    yield made
    made.close()


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_a_server_that_could_write_is_asked_again_and_again_on_one_connection(
    tmp_path, asking, step
):
    server = Server(tmp_path / "s", *[bulk(FINE)] * 3, step=step)
    for _ in range(3):
        asking.check()
    assert server.asked == 3


def test_a_server_that_could_not_write_is_an_error_until_it_can(tmp_path, asking):
    Server(tmp_path / "s", bulk(FAILED), bulk(FINE))
    with pytest.raises(OSError, match="could not write"):
        asking.check()
    asking.check()


def test_a_connection_that_broke_since_is_made_anew(tmp_path, asking):
    Server(tmp_path / "s", bulk(FINE), None, bulk(FINE))
    asking.check()
    asking.check()


@pytest.mark.parametrize("answer", [None, b"-ERR no\r\n", b"-NOAUTH\r\n", bulk(b""), bulk(b"x")])
def test_whoever_does_not_say_that_it_could_is_an_error(tmp_path, asking, answer):
    Server(tmp_path / "s", answer)
    with pytest.raises(OSError):  # noqa: PT011  any will do
        asking.check()


def test_no_server_and_no_socket_are_errors(tmp_path, asking):
    with pytest.raises(FileNotFoundError):
        asking.check()
    with pytest.raises(OSError, match="not known"):
        Written(lambda: None, 1.0).check()


def test_a_server_that_does_not_answer_is_an_error_within_the_deadline(tmp_path):
    silent = socket.socket(socket.AF_UNIX)
    with silent:
        silent.bind(str(tmp_path / "s"))
        silent.listen()
        asking = Written(lambda: str(tmp_path / "s"), 0.2)
        with pytest.raises(TimeoutError):
            asking.check()


def told(asking):
    asking.ask()
    return asking.told()


@pytest.mark.parametrize("step", [1, 1000])
def test_an_answer_may_be_fetched_later(tmp_path, asking, step):
    Server(tmp_path / "s", bulk(FINE), bulk(FAILED), bulk(FINE), bulk(FINE), step=step)
    asking.check()
    assert not told(asking)
    assert told(asking)
    asking.check()


@pytest.mark.parametrize("answer", [None, b"-ERR no\r\n", bulk(b"")])
def test_an_answer_that_does_not_say_it_is_no_proof(tmp_path, asking, answer):
    Server(tmp_path / "s", bulk(FINE), answer, bulk(FINE))
    asking.check()
    assert not told(asking)
    asking.check()


def test_without_a_connection_there_is_no_answer(asking):
    assert not asking.is_connected
    assert not told(asking)
