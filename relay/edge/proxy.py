"""The PROXY header: who the client behind a proxy is (haproxy.org, proxy-protocol.txt).

Sans I/O: told the bytes so far, `read_header` says how many more it can take without taking
any of the client's, or whom the header names. Versions 1 and 2; the TLVs of version 2 are
skipped.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from relay.core.tenants.tenancy import IPAddress

V2_SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
_V2_HEAD_BYTES: Final = 16
_V1_SHORTEST_BYTES: Final = len(b"PROXY UNKNOWN\r\n")
_V1_LONGEST_BYTES: Final = 107
MAX_V2_BYTES: Final = 16_384
"""Addresses and TLVs; a client certificate in a TLV is the largest thing seen."""

_LOCAL, _PROXIED = 0x20, 0x21
_FAMILIES: Final[dict[int, tuple[type[IPv4Address | IPv6Address], int, int]]] = {
    0x1: (IPv4Address, 4, 12),
    0x2: (IPv6Address, 16, 36),
}


class BadHeader(ValueError):
    """It is not a PROXY header, or not one that can be used; the text says why."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """The header goes on; `wanted_bytes` more certainly belong to it."""

    wanted_bytes: int


@dataclass(frozen=True, slots=True)
class Source:
    """The whole header was read. `address` is None for the proxy itself (LOCAL, UNKNOWN)."""

    address: IPAddress | None


def read_header(data: bytes) -> Unfinished | Source:
    """What `data`, the first bytes of a connection, says. Raises BadHeader."""
    if data.startswith(V2_SIGNATURE):
        return _version_2(data)
    if data.startswith(b"PROXY "):
        return _version_1(data)
    if V2_SIGNATURE.startswith(data) or b"PROXY ".startswith(data):
        return Unfinished(_V1_SHORTEST_BYTES - len(data))
    raise BadHeader("no PROXY header")


def _version_1(data: bytes) -> Unfinished | Source:
    if not data.endswith(b"\r\n"):
        if b"\n" in data or len(data) >= _V1_LONGEST_BYTES:
            raise BadHeader("version 1 header without its end")
        return Unfinished(max(1, _V1_SHORTEST_BYTES - len(data)))
    words = data[:-2].split(b" ")
    if words[1] == b"UNKNOWN":
        return Source(None)
    version = {b"TCP4": 4, b"TCP6": 6}.get(words[1])
    if version is None or len(words) != 6:
        raise BadHeader("version 1 header of an unknown kind")
    source, target = _address(words[2], version), _address(words[3], version)
    if not (source and target and _is_port(words[4]) and _is_port(words[5])):
        raise BadHeader("version 1 header with a wrong address or port")
    return Source(source)


def _address(word: bytes, version: int) -> IPAddress | None:
    try:
        address = ip_address(word.decode("ascii"))
    except ValueError:
        return None
    return address if address.version == version else None


def _is_port(word: bytes) -> bool:
    return word.isdigit() and len(word) <= 5 and int(word) <= 65_535


def _version_2(data: bytes) -> Unfinished | Source:
    if len(data) < _V2_HEAD_BYTES:
        return Unfinished(_V2_HEAD_BYTES - len(data))
    command, family = data[12], data[13] >> 4
    length = int.from_bytes(data[14:16], "big")
    if command not in {_LOCAL, _PROXIED} or length > MAX_V2_BYTES:
        raise BadHeader("version 2 header of an unknown command or length")
    if len(data) < _V2_HEAD_BYTES + length:
        return Unfinished(_V2_HEAD_BYTES + length - len(data))
    if command == _LOCAL or family not in _FAMILIES:
        return Source(None)
    kind, size, addresses = _FAMILIES[family]
    if length < addresses:
        raise BadHeader("version 2 header too short for its addresses")
    return Source(kind(data[16 : 16 + size]))
