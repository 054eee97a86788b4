"""Who is at the other end of a transport, and whether what was written reached it."""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

from relay.core.tenants.tenancy import IPAddress, IPNetwork

if sys.platform == "linux":
    import fcntl
    import termios


def peer_address(transport: asyncio.BaseTransport) -> IPAddress:
    """The peer's address; an IPv4 client of a dual-stack socket has an IPv4 address.

    The unspecified address stands for a peer that had left before it could be asked for.
    """
    peer = transport.get_extra_info("peername")
    if not peer:
        return IPv4Address(0)
    return _read(str(peer[0]))


@lru_cache(maxsize=1024)
def _read(text: str) -> IPAddress:
    """Most clients come again."""
    return plain(ip_address(text.partition("%")[0]))


def plain(address: IPAddress) -> IPAddress:
    """`address`, as IPv4 if it is mapped into IPv6 (RFC 4291 §2.5.5.2)."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address


def is_within(address: IPAddress, networks: tuple[IPNetwork, ...]) -> bool:
    """Whether one of `networks` holds `address`."""
    return any(address in network for network in networks)


def has_got_everything(transport: asyncio.Transport) -> bool:
    """Whether the peer's machine has acknowledged all that was written, and reset nothing.

    Asked of a peer that has closed its side: what its FIN does not acknowledge was sent to
    nobody. Where the system cannot tell (the socket is closed, or this is no Linux), the
    absence of an error is taken for a yes.
    """
    if transport.get_write_buffer_size():
        return False
    found = transport.get_extra_info("socket")
    if found is None or found.fileno() < 0:
        return True
    if found.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        return False
    return _unacknowledged_bytes(found.fileno()) == 0


def _unacknowledged_bytes(descriptor: int) -> int:
    if sys.platform != "linux":
        return 0
    answer = fcntl.ioctl(descriptor, termios.TIOCOUTQ, b"\0" * 4)  # SIOCOUTQ, tcp(7)
    count: int = struct.unpack("i", answer)[0]
    return count
