"""The process itself: what it asks of the kernel, and when it ends."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from relay.syncing.wire import FINE, PING, SYNC, error_in

ROOT = Path(__file__).resolve().parents[3]
KEPT = """
import ctypes, signal, sys
from relay.syncing.__main__ import main
main(*sys.argv[1:])
libc, number = ctypes.CDLL(None), ctypes.c_int()
libc.prctl(2, ctypes.byref(number))
print(libc.prctl(3, 0, 0, 0, 0), number.value, signal.getsignal(signal.SIGTERM) == signal.SIG_IGN)
"""
"""What it says of itself at its end: PR_GET_DUMPABLE, PR_GET_PDEATHSIG, whether SIGTERM counts."""


@pytest.fixture
def listener(tmp_path):
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(tmp_path / "s"))
        made.listen()
        yield made


def started(tmp_path, listener, *how):
    words = [str(listener.fileno()), str(tmp_path), str(tmp_path / "socket.path"), "1"]
    return subprocess.Popen(
        [sys.executable, "-P", "-S", *how, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=[listener.fileno()],
        env={"PYTHONPATH": str(ROOT)},
    )


@pytest.mark.skipif(sys.platform != "linux", reason="prctl(2) is Linux's")
def test_nobody_may_look_in_and_it_dies_with_its_parent(tmp_path, listener):
    process = started(tmp_path, listener, "-c", KEPT)
    said, _ = process.communicate(timeout=20)
    assert said.decode().split() == ["0", str(int(signal.SIGKILL)), "True"]


def test_it_serves_whoever_connects_and_ends_with_its_standard_input_alone(tmp_path, listener):
    process = started(tmp_path, listener, "-m", "relay.syncing")
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(str(tmp_path / "s"))
        client.sendall(PING)
        assert client.recv(100) == FINE
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            process.send_signal(number)
        client.sendall(PING)
        assert client.recv(100) == FINE
        client.sendall(SYNC)
        assert isinstance(error_in(client.recv(1000)), FileNotFoundError), "no server is known"
        process.stdin.close()
        assert process.wait(10) == 0
        assert client.recv(100) == b""
    process.stdout.close()


def test_it_takes_nothing_but_the_standard_library(tmp_path):
    """Else it is as large as the relay, and starts as slowly."""
    code = "import sys, relay.syncing.__main__; print(*sys.modules)"
    told = subprocess.run(
        [sys.executable, "-P", "-S", "-c", code],
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    ).stdout.split()
    relays = {name for name in told if name.split(".")[0] == "relay"}
    assert {name for name in relays if not name.startswith("relay.syncing")} == {"relay"}
    assert not {"asyncio", "pathlib", "logging", "redis"} & set(told)
