"""Ports that workers share, held by their supervisor."""

from __future__ import annotations

import socket

import pytest

from relay.core.config import Listener
from relay.edge.reserved import ReservedPorts


def listening(host: str, port: int, *, shared: bool) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        made.bind((host, port))
        made.listen()
    except OSError:
        made.close()
        raise
    return made


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "0.0.0.0", "localhost"])
def test_workers_may_listen_on_a_reserved_port_and_nobody_else(host: str) -> None:
    ports = ReservedPorts([Listener(host, 0)])
    [listener] = ports.listeners
    address = "127.0.0.1" if host == "localhost" else host
    assert listener.port > 0
    with listening(address, listener.port, shared=True):
        with listening(address, listener.port, shared=True):
            pass
        with pytest.raises(OSError, match="in use"):
            listening(address, listener.port, shared=False)
        with pytest.raises(OSError, match="cannot listen on"):
            ReservedPorts([Listener(host, listener.port)])
    ports.close()


def test_a_connection_is_refused_while_no_worker_listens() -> None:
    ports = ReservedPorts([Listener("127.0.0.1", 0)])
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", ports.listeners[0].port), 2)
    ports.close()


def test_one_port_that_is_taken_gives_the_others_back() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    with listening("127.0.0.1", 0, shared=False) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"127.0.0.1:{port}"):
            ReservedPorts([Listener("127.0.0.1", free), Listener("127.0.0.1", port)])
    with listening("127.0.0.1", free, shared=False):
        pass


def test_a_port_can_be_taken_again_right_after_connections_on_it_were_closed() -> None:
    server = listening("127.0.0.1", 0, shared=False)
    port = server.getsockname()[1]
    client = socket.create_connection(("127.0.0.1", port), 2)
    accepted, _ = server.accept()
    accepted.close()  # this side closes first, and waits in TIME_WAIT
    client.close()
    server.close()
    ReservedPorts([Listener("127.0.0.1", port)]).close()
