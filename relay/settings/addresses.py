"""Socket addresses, networks and host names as people write them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_interface, ip_network

from relay.core.domain import normalize_domain
from relay.core.tenants.tenancy import IPNetwork
from relay.settings.problems import Wrong, shown

_ADDRESS = re.compile(
    r"(?:\[(?P<six>[^\]]*:[^\]]*)\]|(?P<host>[^:\[\]\s]+)):(?P<port>[0-9]{1,5})\Z"
)
_LABEL = r"[A-Za-z0-9_-]{1,63}"
_HOST = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*\.?\Z", re.ASCII)
_ORIGIN = re.compile(r"https?://[a-z0-9.-]{1,253}(?::[0-9]{1,5})?\Z", re.ASCII)
_MAPPED = IPv6Network("::ffff:0:0/96")


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen. `host` is a name, an IPv4 address, or an IPv6 address without brackets."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """`host:port` or `[::1]:port`. Raises Wrong."""
    found = _ADDRESS.match(text)
    if not found:
        raise Wrong(f"{shown(text)} is not host:port, such as 127.0.0.1:2525 or [::1]:2525")
    return Address(parse_host(found["six"] or found["host"], text), parse_port(found["port"], text))


def parse_nameserver(text: str) -> Address:
    """`address:port` of a DNS server; not a name, which somebody would have to look up."""
    found = parse_address(text)
    try:
        ip_address(found.host)
    except ValueError:
        raise Wrong(f"{shown(text)}: {shown(found.host)} is not an IP address") from None
    return found


def parse_origin(text: str) -> str:
    """An origin as browsers send it (RFC 6454 §6.2): `https://host[:port]`. Raises Wrong."""
    if not _ORIGIN.match(text):
        raise Wrong(f"{shown(text)} is not an origin, such as https://app.example.net")
    return text


def parse_port(digits: str, text: str) -> int:
    """1 to 65535. Raises Wrong, about `text`."""
    port = int(digits)
    if not 0 < port < 65536:
        raise Wrong(f"{shown(text)}: the port is not between 1 and 65535")
    return port


def parse_host(host: str, text: str) -> str:
    """A host name or address without brackets, lower case. Raises Wrong, about `text`.

    Underscores are let through: container networks have them in host names.
    """
    if ":" in host or re.fullmatch(r"[0-9.]+", host):
        return str(_ip(host, text))
    if host.isascii():
        if not _HOST.match(host):
            raise Wrong(f"{shown(text)}: {shown(host)} is not a host name")
        return host.lower().removesuffix(".")
    return parse_domain(host)


def is_loopback(host: str) -> bool:
    """Whether `host` can only be this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _ip(host: str, text: str) -> IPv4Address | IPv6Address:
    try:
        return ip_address(host)
    except ValueError:
        raise Wrong(f"{shown(text)}: {shown(host)} is not an IP address") from None


def parse_domain(text: str) -> str:
    """See `core.domain.normalize_domain`. Raises Wrong."""
    try:
        return normalize_domain(text)
    except ValueError:
        raise Wrong(f"{shown(text)} is not a domain name") from None


def parse_network(text: str) -> IPNetwork:
    """`10.0.0.0/8`, `::1/128` or a single address. Raises Wrong."""
    try:
        network = ip_network(text)
    except ValueError:
        raise _not_a_network(text) from None
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        raise Wrong(f"{shown(text)} is an IPv4 network in IPv6 form", "write it as IPv4")
    return network


def parse_tenant_network(text: str) -> IPNetwork:
    """A network whose hosts may send without a credential. Raises Wrong for all of the Internet."""
    network = parse_network(text)
    if network.prefixlen == 0:
        raise Wrong(f"{shown(text)} would let everybody on the Internet send as this tenant")
    return network


def _not_a_network(text: str) -> Wrong:
    told = f"{shown(text)} is not a network, such as 10.0.0.0/8 or ::1/128"
    try:
        return Wrong(told, f'did you mean "{ip_interface(text).network}"?')
    except ValueError:
        return Wrong(told)
