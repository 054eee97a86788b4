"""Answers of a hostile nameserver: whatever comes, a bounded finding."""

from __future__ import annotations

import asyncio
from typing import Any

from dns import message, name, rdataclass, rdatatype
from dns.asyncresolver import Resolver
from dns.exception import DNSException, FormError

from relay.core.providers import LEAST_TTL_S, MOST_HOSTS, MOST_TTL_S, MxKind
from relay.providers.mx import MxResolver
from relay.providers.nameserver import SmallAnswers
from relay.providers.resolving import Resolvers

DOMAIN = name.from_text("receiver.example.")


def _answer(text: str) -> bytes:
    """The body of an answer: what stands behind id and question."""
    query = message.make_query(DOMAIN, "MX")
    reply = message.make_response(query)
    section = message.from_text(f";ANSWER\n{text}", one_rr_per_rrset=False).answer if text else []
    reply.answer.extend(section)
    wire = reply.to_wire()
    return wire[2:12] + wire[12 + len(_question()) :]


def _question() -> bytes:
    kind, space = rdatatype.MX, rdataclass.IN
    return DOMAIN.to_wire() + kind.to_bytes(2, "big") + space.to_bytes(2, "big")


SEEDS = (
    _answer("receiver.example. 300 IN MX 10 mx.receiver.example."),
    _answer("receiver.example. 300 IN MX 0 ."),
    _answer("receiver.example. 300 IN MX 10 a.google.com.\nreceiver.example. 1 IN MX 20 b.c."),
    _answer("receiver.example. 300 IN CNAME x.example.\nx.example. 300 IN MX 5 mx.x.example."),
    _answer("receiver.example. 300 IN MX 10 a\\032b.example."),
    _answer(""),
    _answer("")[:1] + b"\x83" + _answer("")[2:],
)
DICTIONARY = (b"\xc0\x0c", b"\0\x0f\0\x01", b"\0\x05\0\x01", b"\0\x06\0\x01", b"\x3f", b"\0\0\0\0")


class _Scripted(SmallAnswers):
    """Answers every question with the same flags, counts and sections."""

    def __init__(self, data: bytes) -> None:
        super().__init__("192.0.2.53", 53)
        self._data = data

    async def async_query(self, request: message.QueryMessage, *_: Any, **__: Any) -> Any:
        head, rest = self._data[:10].ljust(10, b"\0"), self._data[10:]
        question = request.to_wire()[12 : 12 + len(_question())]
        answer = message.from_wire(request.id.to_bytes(2, "big") + head + question + rest)
        if not request.is_response(answer):
            raise FormError
        return answer


class _Asking(MxResolver):
    def __init__(self, data: bytes) -> None:
        super().__init__([("192.0.2.53", 53)])
        self._resolvers = _ScriptedResolvers(data)


class _ScriptedResolvers(Resolvers):
    def __init__(self, data: bytes) -> None:
        super().__init__((), 5.0)
        self._data = data

    def current(self) -> Resolver:
        resolver = Resolver(configure=False)
        resolver.nameservers = [_Scripted(self._data)]
        resolver.lifetime = 5.0
        return resolver


def run(data: bytes) -> None:
    """Never an exception of ours, never a host that is no name."""
    try:
        found = asyncio.run(_Asking(data).find("receiver.example"))
    except DNSException as error:
        raise AssertionError(f"came through: {error!r}") from error
    assert len(found.hosts) <= MOST_HOSTS
    assert found.kind is MxKind.UNKNOWN or LEAST_TTL_S <= found.ttl_s <= MOST_TTL_S
    assert "no answer within" not in found.why
    for host in found.hosts:
        assert host == host.lower()
        assert 0 < len(host) <= 253
        assert host.isascii()
        assert host.isprintable()
        assert " " not in host
