from __future__ import annotations

import struct
from ipaddress import ip_address

import pytest

from relay.edge.proxy import V2_SIGNATURE, BadHeader, Source, Unfinished, read_header


def version_2(command: int, family: int, body: bytes) -> bytes:
    return V2_SIGNATURE + struct.pack("!BBH", command, family, len(body)) + body


TCP4 = ip_address("192.0.2.7").packed + ip_address("192.0.2.1").packed + struct.pack("!HH", 5, 25)
TCP6 = ip_address("2001:db8::7").packed + ip_address("::1").packed + struct.pack("!HH", 5, 25)
TLV = b"\x04\x00\x03\0\0\0" + b"\x20\x00\x05" + b"x" * 5

GOOD = [
    (b"PROXY TCP4 192.0.2.7 192.0.2.1 56324 25\r\n", "192.0.2.7"),
    (b"PROXY TCP6 2001:db8::7 ::1 56324 25\r\n", "2001:db8::7"),
    (b"PROXY UNKNOWN\r\n", None),
    (b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", None),
    (version_2(0x21, 0x11, TCP4), "192.0.2.7"),
    (version_2(0x21, 0x21, TCP6 + TLV), "2001:db8::7"),
    (version_2(0x21, 0x11, TCP4 + TLV), "192.0.2.7"),
    (version_2(0x20, 0x00, b""), None),
    (version_2(0x20, 0x11, TCP4 + TLV), None),
    (version_2(0x21, 0x00, b""), None),
    (version_2(0x21, 0x31, b"\0" * 216), None),
]


@pytest.mark.parametrize(("header", "address"), GOOD)
def test_a_header_names_the_client_and_not_a_byte_too_much_is_read(header, address):
    wire, data = header + b"EHLO client.example\r\n", b""
    while isinstance(found := read_header(data), Unfinished):
        assert found.wanted_bytes > 0
        data = wire[: len(data) + found.wanted_bytes]
    assert data == header
    assert found == Source(ip_address(address) if address else None)


@pytest.mark.parametrize(("header", "address"), GOOD)
def test_a_header_may_come_byte_by_byte(header, address):
    for end in range(len(header)):
        found = read_header(header[:end])
        assert isinstance(found, Unfinished)
        assert end + found.wanted_bytes <= len(header)
    assert isinstance(read_header(header), Source)


@pytest.mark.parametrize(
    "data",
    [b"EHLO client.example\r\n", b"E", b"\x16\x03\x01", b"PROXY TCP4 192.0.2.7 192.0.2.1 1\r\n",
     b"PROXY TCP5 192.0.2.7 192.0.2.1 1 2\r\n", b"PROXY TCP4 2001:db8::7 ::1 1 2\r\n",
     b"PROXY TCP4 192.0.2.7 192.0.2.1 1 65536\r\n", b"PROXY TCP4 192.0.2.7 192.0.2.1 1 x\r\n",
     b"PROXY TCP4 192.0.2.7  192.0.2.1 1 2\r\n", b"PROXY TCP4 a b 1 2\r\n",
     b"PROXY TCP4 192.0.2.7 192.0.2.1 1 2\n", b"PROXY " + b"x" * 101,
     version_2(0x22, 0x11, TCP4), version_2(0x11, 0x11, TCP4), version_2(0x21, 0x11, TCP4[:11]),
     version_2(0x21, 0x21, TCP4), V2_SIGNATURE + b"\x21\x11\xff\xff"],
)  # fmt: skip
def test_what_is_no_header_is_refused(data):
    with pytest.raises(BadHeader):
        read_header(data)
