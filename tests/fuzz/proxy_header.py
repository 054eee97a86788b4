"""PROXY headers, fed as the gate feeds them: never a byte of the client's is taken."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from relay.edge.proxy import MAX_V2_BYTES, V2_SIGNATURE, BadHeader, Source, Unfinished, read_header

SEEDS = (
    b"PROXY TCP4 192.0.2.1 192.0.2.2 1 25\r\nEHLO x\r\n",
    b"PROXY TCP6 2001:db8::1 2001:db8::2 65535 25\r\nEHLO x\r\n",
    b"PROXY UNKNOWN\r\nEHLO x\r\n",
    V2_SIGNATURE + b"\x21\x11\0\x0c" + bytes(range(12)) + b"EHLO x\r\n",
    V2_SIGNATURE + b"\x21\x21\0\x24" + bytes(range(36)) + b"EHLO x\r\n",
    V2_SIGNATURE + b"\x20\0\0\0EHLO x\r\n",
    V2_SIGNATURE + b"\x21\x11\0\x0f" + bytes(range(15)),
)
DICTIONARY = (V2_SIGNATURE, b"PROXY TCP4 ", b"PROXY TCP6 ", b"\r\n", b"::ffff:127.0.0.1", b"127.1")
_LONGEST = 16 + MAX_V2_BYTES


def run(data: bytes) -> None:
    """The header ends where its own words say, whatever follows it."""
    taken = 0
    try:
        found = read_header(b"")
        while isinstance(found, Unfinished):
            assert found.wanted_bytes > 0
            if taken + found.wanted_bytes > len(data):
                return
            taken += found.wanted_bytes
            found = read_header(data[:taken])
    except BadHeader:
        return
    assert taken <= _LONGEST
    _check(data[:taken], found)


def _check(header: bytes, found: Source) -> None:
    assert found.address is None or isinstance(found.address, IPv4Address | IPv6Address)
    if header.startswith(V2_SIGNATURE):
        assert len(header) == 16 + int.from_bytes(header[14:16], "big")
    else:
        assert header.count(b"\n") == 1
        assert header.endswith(b"\r\n")
        assert found.address is None or str(found.address) in _readings(header)


def _readings(header: bytes) -> set[str]:
    word = header.decode("ascii").split(" ")[2]
    return {word} if "." in word and ":" not in word else {str(IPv6Address(word))}
