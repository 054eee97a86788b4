from __future__ import annotations

import asyncio
import logging
from base64 import b64encode
from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from relay.core.config import Limits, Listener, ListenerTls
from relay.core.tenants.tenancy import Tenant
from relay.edge import gate, identity
from tests.unit.edge.house import LOCAL, open_house, trusting
from tests.unit.edge.test_proxy import TCP4, TLV, version_2

FAR = Tenant("far", networks=(ip_network("192.0.2.0/24"),))
TRUSTED = Listener("127.0.0.1", 0, proxy_from=(ip_network("127.0.0.0/8"),))
SOURCES = [
    (b"PROXY TCP4 192.0.2.7 192.0.2.1 56324 25\r\n", "192.0.2.7"),
    (version_2(0x21, 0x11, TCP4 + TLV), "192.0.2.7"),
    (version_2(0x20, 0x11, TCP4 + TLV), "127.0.0.1"),
    (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
    (b"PROXY TCP6 ::ffff:192.0.2.7 ::ffff:192.0.2.1 56324 25\r\n", "192.0.2.7"),
]
GUESS = "AUTH PLAIN " + b64encode(b"\0nobody\0wrong").decode()
LOGIN = "AUTH PLAIN " + b64encode(b"\0acme\0right").decode()
BOTH = b"PROXY TCP6 ::ffff:%b ::ffff:192.0.2.1 56324 25\r\n"
"""As a proxy says it that listens for IPv4 and IPv6 with one socket (HAProxy: `v4v6`)."""


@pytest.mark.parametrize(("header", "address"), SOURCES)
async def test_the_header_says_who_the_client_is(header, address):
    async with open_house(TRUSTED, tenants=(FAR, LOCAL)) as house:
        client = await house.greeted(preamble=header)
        assert (await client.send()).code == 250
        speaker = house.relay.submissions[0].client
        assert speaker.address == address
        assert speaker.tenant is (FAR if address == "192.0.2.7" else LOCAL)


async def test_who_guesses_behind_a_dual_stack_proxy_shuts_out_nobody_else(authority, monkeypatch):
    monkeypatch.setattr(identity, "delay_s", lambda _failures: 0)
    files = authority.issue()
    listener = replace(
        TRUSTED, tls=ListenerTls.IMPLICIT, certificate=files.certificate, key=files.key
    )
    one = {"preamble": BOTH % b"192.0.2.7", "tls": trusting(authority.ca_file)}
    async with open_house(listener, limits=Limits(auth_failures_per_address=2)) as house:
        for code in (535, 535, 454):
            assert (await (await house.greeted(**one)).do(GUESS)).code == code
        other = await house.greeted(**one | {"preamble": BOTH % b"198.51.100.7"})
        assert (await other.do(LOGIN)).code == 235


@pytest.mark.parametrize(("header", "address"), SOURCES)
async def test_it_may_come_in_front_of_a_tls_handshake(authority, header, address):
    files = authority.issue()
    listener = Listener(
        "127.0.0.1", 0, tls=ListenerTls.IMPLICIT, proxy_from=TRUSTED.proxy_from,
        certificate=files.certificate, key=files.key,
    )  # fmt: skip
    async with open_house(listener, tenants=(FAR, LOCAL)) as house:
        client = await house.greeted(preamble=header, tls=trusting(authority.ca_file))
        assert (await client.send()).code == 250
        speaker = house.relay.submissions[0].client
        assert (speaker.address, speaker.protocol) == (address, "ESMTPS")


async def test_header_and_dialogue_may_come_in_one_packet():
    async with open_house(TRUSTED, tenants=(FAR,)) as house:
        client = await house.connect(preamble=SOURCES[1][0] + b"EHLO x\r\nQUIT\r\n")
        await client.follow("S: 220\nS: 250\nS: 221")


async def test_a_header_may_come_in_drops():
    async with open_house(TRUSTED, tenants=(FAR,)) as house:
        client = await house.connect()
        for byte in SOURCES[0][0]:
            await client.write(bytes([byte]))
            await asyncio.sleep(0.001)
        assert (await client.read()).code == 220


@pytest.mark.parametrize("header", [header for header, _ in SOURCES if header[:5] == b"PROXY"])
async def test_from_anywhere_else_a_header_is_no_command(header):
    listener = Listener("127.0.0.1", 0, proxy_from=(ip_network("10.0.0.0/8"),))
    async with open_house(listener, Listener("127.0.0.1", 0), tenants=(FAR,)) as house:
        for number in (0, 1):
            client = await house.connect(number, preamble=header)
            assert (await client.read()).code == 220
            assert (await client.read()).last.startswith("500 5.5.1")
            await client.do("EHLO x")
            assert (await client.do("MAIL FROM:<a@acme.example>")).code == 530


async def test_from_anywhere_else_the_signature_of_version_2_leads_to_its_quit():
    async with open_house(Listener("127.0.0.1", 0), tenants=(FAR,)) as house:
        client = await house.connect(preamble=SOURCES[1][0] + b"\r\nEHLO x\r\n")
        await client.follow("S: 220\nS: 500 5.5.2\nS: 500 5.5.2\nS: 500 5.5.2\nS: 221")
        assert await client.is_closed()


@pytest.mark.parametrize(
    "start",
    [b"EHLO client.example\r\n", b"PROXY TCP4 spoof\r\n", b"\r\n\r\n\0\r\nQUIT\n\x2f\x11\0\0"],
)
async def test_a_trusted_proxy_has_to_say_a_good_header(caplog, start):
    with caplog.at_level(logging.WARNING):
        async with open_house(TRUSTED) as house:
            client = await house.connect(preamble=start)
            assert await client.is_closed()
    assert "PROXY header from 127.0.0.1 refused" in caplog.text


async def test_a_header_that_does_not_come_is_not_waited_for_long(monkeypatch):
    monkeypatch.setattr(gate, "HEADER_TIMEOUT_S", 0.1)
    async with open_house(TRUSTED) as house:
        client = await house.connect(preamble=b"PROXY TCP4")
        assert await client.is_closed(timeout_s=2)


async def test_a_proxy_that_leaves_early_and_a_shutdown_leave_nothing_behind():
    async with open_house(TRUSTED) as house:
        client = await house.connect(preamble=b"PROXY")
        client.close()
        waiting = await house.connect(preamble=b"PROXY")
        await asyncio.sleep(0.05)
        assert len(house.listeners._gates) == 1
        house.listeners.stop_listening()
        assert await waiting.is_closed()
        assert house.listeners._gates == set()


async def test_connections_are_counted_by_the_client_behind_the_proxy():
    async with open_house(TRUSTED, limits=Limits(connections_per_address=1)) as house:
        first = await house.connect(preamble=SOURCES[0][0])
        assert (await first.read()).code == 220
        second = await house.connect(preamble=SOURCES[0][0])
        assert (await second.read()).last.startswith("421 4.3.2")
        other = await house.connect(preamble=b"PROXY TCP4 192.0.2.8 192.0.2.1 1 25\r\n")
        assert (await other.read()).code == 220
        counted = house.around.turnstile._inside
        assert set(counted) == {ip_address(f"192.0.2.{n}").packed for n in (7, 8)}
