"""A load balancer in front: the PROXY header decides who the client is, from listed sources."""

from __future__ import annotations

import socket
import ssl
import struct

import pytest

from tests.conftest import MakeRelay
from tests.harness.arrived import arrived
from tests.harness.certs import Authority
from tests.harness.relay_config import DOMAIN, LOOPBACK
from tests.harness.wire import Wire, mail

SENDER = f"news@{DOMAIN}"
CLIENT = "192.0.2.77"
V2_SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"


def v1(client: str = CLIENT) -> bytes:
    return f"PROXY TCP4 {client} 192.0.2.1 4711 25\r\n".encode()


def v2(client: str = CLIENT) -> bytes:
    addresses = socket.inet_aton(client) + socket.inet_aton("192.0.2.1")
    addresses += struct.pack("!HH", 4711, 25)
    return V2_SIGNATURE + b"\x21\x11" + struct.pack("!H", len(addresses)) + addresses


@pytest.mark.parametrize("header", [v1, v2])
def test_the_client_in_the_proxy_header_is_the_client(
    make_relay: MakeRelay, header: object
) -> None:
    relay = make_relay(
        listeners=[{"tls": "none", "proxy_from": [LOOPBACK]}],
        tenant={"networks": [f"{CLIENT}/32"]},
    ).start()
    with Wire(relay.port, preamble=header()) as wire:
        assert wire.send(SENDER, "reader@example.org", mail(SENDER)).code == 250
    [message] = arrived(relay.home / "outbound")
    assert CLIENT.encode() in message.split(b"From:")[0]

    with Wire(relay.port, preamble=header("192.0.2.78")) as wire:
        assert wire.do(f"MAIL FROM:<{SENDER}>").code == 530


@pytest.mark.parametrize("header", [v1, v2])
def test_it_works_in_front_of_implicit_tls(
    make_relay: MakeRelay, authority: Authority, header: object
) -> None:
    certificate = authority.issue("relay")
    files = {"certificate": str(certificate.certificate), "key": str(certificate.key)}
    relay = make_relay(
        listeners=[{"tls": "implicit", "proxy_from": [LOOPBACK], **files}],
        tenant={"networks": [f"{CLIENT}/32"]},
    ).start()
    context = ssl.create_default_context(cafile=str(authority.ca_file))
    with Wire(relay.port, preamble=header(), tls=context) as wire:
        assert wire.send(SENDER, "reader@example.org", mail(SENDER)).code == 250


def test_from_a_source_that_is_not_listed_the_header_is_no_way_in(make_relay: MakeRelay) -> None:
    relay = make_relay(
        listeners=[{"tls": "none", "proxy_from": ["198.51.100.0/24"]}],
        tenant={"networks": [f"{CLIENT}/32"]},
    ).start()
    with Wire(relay.port, preamble=v1(), greet=False) as wire:
        assert wire.read().code == 220
        reply = wire.read()
        assert reply.code // 100 == 5, reply
        wire.ehlo()
        assert wire.do(f"MAIL FROM:<{SENDER}>").code == 530


def test_from_a_listed_source_a_connection_without_the_header_is_not_served(
    make_relay: MakeRelay,
) -> None:
    relay = make_relay(listeners=[{"tls": "none", "proxy_from": [LOOPBACK]}]).start()
    with Wire(relay.port, greet=False) as wire:
        wire.write(b"EHLO client.acme.example\r\nMAIL FROM:<x@y>\r\n")
        with pytest.raises((ConnectionError, AssertionError)):
            assert wire.read().code < 400
