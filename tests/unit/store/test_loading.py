"""An embedded server that loads a large file: waited for, where one that is silent is not."""

import sys

import pytest

from relay.store import StoreUnusable
from relay.store.embedded import store as embedded
from relay.store.embedded.store import EmbeddedStore

SERVER = """
import socket, sys, time
ready_at = time.monotonic() + {loads_s}
bound = socket.socket(socket.AF_UNIX)
bound.bind(sys.argv[sys.argv.index("--unixsocket") + 1])
bound.listen()
while True:
    asking, _ = bound.accept()
    asking.recv(100)
    loads = time.monotonic() < ready_at
    asking.sendall(b"-LOADING the dataset\\r\\n" if loads else b"+PONG\\r\\n")
    asking.close()
"""


@pytest.fixture
def server(tmp_path, monkeypatch):
    """`server(seconds)`: from now on the server's program loads for so long."""

    def loading_for(loads_s):
        program, script = tmp_path / "server", tmp_path / "server.py"
        script.write_text(SERVER.format(loads_s=loads_s))
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}" "$@"\n')
        program.chmod(0o700)
        monkeypatch.setattr(embedded, "find_binary", lambda: program)

    return loading_for


async def test_a_server_that_says_that_it_loads_is_waited_for(
    tmp_path, server, monkeypatch, caplog
):
    server(3.0)
    monkeypatch.setattr(embedded, "READY_S", 2.0)
    caplog.set_level("INFO", "relay.store.embedded.store")

    store = await EmbeddedStore.start(tmp_path / "data")

    assert store.pid
    await store.stop()
    assert [record.message for record in caplog.records] == ["the embedded store loads its file"]


async def test_but_not_for_ever(tmp_path, server, monkeypatch):
    server(60.0)
    monkeypatch.setattr(embedded, "LOAD_S", 1.0)

    with pytest.raises(StoreUnusable, match="not ready within 1 s"):
        await EmbeddedStore.start(tmp_path / "data")


async def test_a_silent_one_is_given_up_sooner(tmp_path, server, monkeypatch):
    program = tmp_path / "silent"
    program.write_text("#!/bin/sh\nsleep 60\n")
    program.chmod(0o700)
    monkeypatch.setattr(embedded, "find_binary", lambda: program)
    monkeypatch.setattr(embedded, "READY_S", 0.5)

    with pytest.raises(StoreUnusable, match=r"not ready within 0\.5 s"):
        await EmbeddedStore.start(tmp_path / "data")
