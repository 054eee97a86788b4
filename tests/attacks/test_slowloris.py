"""Clients that hold on: in every state they are let go, and others are served meanwhile."""

from __future__ import annotations

import socket
import time

import pytest

from tests.attacks.conftest import SENDER, Besiege, Besieged
from tests.harness.certs import Authority
from tests.harness.relay_config import LOOPBACK
from tests.harness.wire import Wire, mail

TIMEOUT_S = 2
HELLO = b"EHLO x\r\n"
MAIL = HELLO + f"MAIL FROM:<{SENDER}>\r\n".encode()
RCPT = MAIL + b"RCPT TO:<v@receiver.example>\r\n"
STATES = {
    "nothing": b"",
    "half a command": b"EHL",
    "after EHLO": HELLO,
    "in AUTH PLAIN": HELLO + b"AUTH PLAIN\r\n",
    "in AUTH LOGIN": HELLO + b"AUTH LOGIN\r\nYWNtZQ==\r\n",
    "half a response": HELLO + b"AUTH LOGIN\r\nYWNt",
    "after MAIL": MAIL,
    "after RCPT": RCPT,
    "after DATA": RCPT + b"DATA\r\n",
    "in a header": RCPT + b"DATA\r\nFrom: a",
    "before the dot": RCPT + b"DATA\r\nFrom: a\r\n\r\nb\r\n",
    "before the last LF": RCPT + b"DATA\r\nFrom: a\r\n\r\nb\r\n.\r",
    "in a line too long": b"x" * 20_000,
}


@pytest.fixture(scope="module")
def besieged(besiege: Besiege, tmp_path_factory: pytest.TempPathFactory) -> Besieged:
    files = Authority(tmp_path_factory.mktemp("certs")).issue("relay")
    tls = {"certificate": str(files.certificate), "key": str(files.key)}
    limits = {"command_timeout": f"{TIMEOUT_S}s", "data_timeout": f"{TIMEOUT_S}s"}
    return besiege(
        listeners=[
            {"tls": "none", "plaintext_auth": "loopback"},
            {"tls": "starttls", **tls},
            {"tls": "implicit", **tls},
            {"tls": "none", "proxy_from": [LOOPBACK]},
        ],
        more={"limits": limits},
    )


def opened(port: int, data: bytes) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), 10)
    client.sendall(data)
    return client


def held_s(client: socket.socket, began: float, most_s: float) -> float:
    """How long it took from `began` until the server let go."""
    client.settimeout(most_s)
    try:
        while client.recv(65536):
            pass
    except ConnectionError:
        pass
    client.close()
    return time.monotonic() - began


def test_every_state_of_a_session_has_an_end(besieged: Besieged) -> None:
    began = time.monotonic()
    clients = {name: opened(besieged.relay.port, data) for name, data in STATES.items()}
    with besieged.wire() as wire:
        assert wire.send(SENDER, "v@receiver.example", mail(SENDER)).code == 250
        assert time.monotonic() - began < TIMEOUT_S + 5, "the others had to wait"
    held = {name: held_s(client, began, 20) for name, client in clients.items()}
    assert all(TIMEOUT_S * 0.9 < each < TIMEOUT_S + 10 for each in held.values()), held


def _sends_until_cut(client: socket.socket, data: bytes, most_s: float, every_s: float = 0) -> bool:
    """Whether the server broke the connection within `most_s` of sending."""
    end = time.monotonic() + most_s
    while time.monotonic() < end:
        try:
            client.sendall(data)
        except ConnectionError:
            return True
        time.sleep(every_s)
    return False


def test_one_who_never_reads_is_let_go(besieged: Besieged) -> None:
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(30)
    client.connect(("127.0.0.1", besieged.relay.port))
    began = time.monotonic()
    assert _sends_until_cut(client, HELLO * 1000, 60)
    assert time.monotonic() - began < 30
    client.close()


def test_a_header_of_a_proxy_has_five_seconds(besieged: Besieged) -> None:
    began = time.monotonic()
    port = besieged.relay.config.smtp_ports[3]
    clients = [
        opened(port, data) for data in (b"", b"PROXY TCP4 1", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c")
    ]
    assert all(4 < held_s(client, began, 20) < 12 for client in clients)


@pytest.mark.slow
def test_a_handshake_has_half_a_minute(besieged: Besieged) -> None:
    _, starttls, implicit, _ = besieged.relay.config.smtp_ports
    began = time.monotonic()
    clients = [opened(implicit, b""), opened(implicit, b"\x16\x03\x01"), opened(starttls, b"")]
    clients[2].sendall(HELLO + b"STARTTLS\r\n")
    held = [held_s(client, began, 60) for client in clients]
    assert all(each < 45 for each in held), held


@pytest.mark.slow
def test_content_may_drip_for_so_long_and_no_longer(besieged: Besieged) -> None:
    """One byte a second re-arms the timeout of each chunk, not that of the whole (20 times it)."""
    client = opened(besieged.relay.port, RCPT + b"DATA\r\n")
    began = time.monotonic()
    assert _sends_until_cut(client, b"x", 90, every_s=1)
    assert 20 * TIMEOUT_S - 2 < time.monotonic() - began < 20 * TIMEOUT_S + 20


def test_nobody_is_left_behind(besieged: Besieged) -> None:
    with Wire(besieged.relay.port) as wire:
        assert wire.do("NOOP").code == 250
        port = besieged.relay.port
        assert besieged.relay.metric("relay_connections", listener=f"127.0.0.1:{port}") <= 2
