"""A scripted DNS server on 127.0.0.1, UDP and TCP on one port, in the loop of the test.

A script says what becomes of a question: `mx`, `address`, `nothing`, `no_domain`, … below
make the usual ones. What has no script is NXDOMAIN. Every question is counted.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.resolver
import dns.rrset

from tests.harness.ports import free_port

Script = Callable[[dns.message.Message, "Server", bool], bytes | None]
"""The question, the server and whether it came by TCP → what goes out; None is silence."""


@dataclass
class Server:
    """`scripts` are by (domain, type), or by domain for every type. `delay_s` is for all."""

    port: int
    scripts: dict[tuple[str, str] | str, Script] = field(default_factory=dict)
    asked: Counter[tuple[str, str]] = field(default_factory=Counter)
    delay_s: float = 0.0
    by_tcp: int = 0
    at_once: int = 0
    most_at_once: int = 0

    @property
    def nameservers(self) -> list[tuple[str, int]]:
        return [("127.0.0.1", self.port)]

    @property
    def questions(self) -> int:
        return self.asked.total()

    async def answer(self, wire: bytes, *, by_tcp: bool) -> bytes | None:
        question = dns.message.from_wire(wire)
        name = question.question[0].name.to_text(omit_final_dot=True)
        kind = dns.rdatatype.to_text(question.question[0].rdtype)
        self.asked[name, kind] += 1
        self.by_tcp += by_tcp
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(self.delay_s)
        finally:
            self.at_once -= 1
        script = self.scripts.get((name, kind)) or self.scripts.get(name) or no_domain()
        return script(question, self, by_tcp)


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, server: Server, group: asyncio.TaskGroup) -> None:
        self._server = server
        self._group = group

    def connection_made(self, transport) -> None:
        self._transport = transport

    def datagram_received(self, wire: bytes, sender) -> None:
        self._group.create_task(self._reply(wire, sender))

    async def _reply(self, wire: bytes, sender) -> None:
        reply = await self._server.answer(wire, by_tcp=False)
        if reply is not None and not self._transport.is_closing():
            self._transport.sendto(reply, sender)


@asynccontextmanager
async def dns_server() -> AsyncIterator[Server]:
    """A server that runs for the block."""
    server = Server(free_port())

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = int.from_bytes(await reader.readexactly(2), "big")
        reply = await server.answer(await reader.readexactly(size), by_tcp=True)
        if reply is not None:
            writer.write(len(reply).to_bytes(2, "big") + reply)
        writer.close()

    loop = asyncio.get_running_loop()
    where = ("127.0.0.1", server.port)
    async with asyncio.TaskGroup() as group:
        udp, _ = await loop.create_datagram_endpoint(lambda: _Udp(server, group), local_addr=where)
        tcp = await asyncio.start_server(talk, *where)
        try:
            yield server
        finally:
            udp.close()
            tcp.close()


def _reply(question: dns.message.Message) -> dns.message.Message:
    return dns.message.make_response(question, recursion_available=True)


def _with(question, kind: str, ttl_s: int, *records: str) -> dns.message.Message:
    reply = _reply(question)
    reply.answer.append(dns.rrset.from_text(question.question[0].name, ttl_s, "IN", kind, *records))
    return reply


def _soa(reply: dns.message.Message, ttl_s: int, minimum_s: int) -> dns.message.Message:
    soa = f"ns.example. host.example. 1 3600 600 86400 {minimum_s}"
    reply.authority.append(dns.rrset.from_text("example.", ttl_s, "IN", "SOA", soa))
    return reply


def mx(*records: str, ttl_s: int = 3600) -> Script:
    """MX `records`: preference and host, as `10 mx.example`."""
    named = [record if record.endswith(".") else f"{record}." for record in records]

    def script(question, _server, by_tcp) -> bytes:
        reply = _with(question, "MX", ttl_s, *named)
        if by_tcp:
            return reply.to_wire(max_size=65535)
        try:
            return reply.to_wire(max_size=1232)
        except dns.exception.TooBig:
            return cut(question)

    return script


def address(text: str, ttl_s: int = 3600) -> Script:
    """An A or AAAA record; nothing for other types."""
    kind = "AAAA" if ":" in text else "A"

    def script(question, server, by_tcp) -> bytes:
        if dns.rdatatype.to_text(question.question[0].rdtype) != kind:
            return nothing()(question, server, by_tcp)
        return _with(question, kind, ttl_s, text).to_wire()

    return script


def nothing(minimum_s: int | None = 900) -> Script:
    """NOERROR without an answer; with an SOA unless `minimum_s` is None."""

    def script(question, _server, _by_tcp) -> bytes:
        reply = _reply(question)
        return (reply if minimum_s is None else _soa(reply, 3600, minimum_s)).to_wire()

    return script


def no_domain(minimum_s: int | None = 900) -> Script:
    """NXDOMAIN."""

    def script(question, _server, _by_tcp) -> bytes:
        reply = _reply(question)
        reply.set_rcode(dns.rcode.NXDOMAIN)
        return (reply if minimum_s is None else _soa(reply, 3600, minimum_s)).to_wire()

    return script


def fails(code: str = "SERVFAIL") -> Script:
    """An error of the server."""

    def script(question, _server, _by_tcp) -> bytes:
        reply = _reply(question)
        reply.set_rcode(dns.rcode.from_text(code))
        return reply.to_wire()

    return script


def silent() -> Script:
    """No answer at all."""
    return lambda _question, _server, _by_tcp: None


def raw(udp: bytes | Callable[[bytes], bytes], tcp: bytes | None = None) -> Script:
    """Bytes as they are; as a function, made of a well-formed answer."""

    def script(question, server, by_tcp) -> bytes | None:
        if by_tcp:
            return tcp
        return udp(mx("10 mx.example")(question, server, by_tcp)) if callable(udp) else udp

    return script


def another_id() -> Script:
    """A good answer to a question that was not asked."""

    def script(question, server, by_tcp) -> bytes:
        wire = mx("10 mx.example")(question, server, by_tcp)
        return bytes((wire[0] ^ 0xFF, *wire[1:]))

    return script


def cut(question: dns.message.Message) -> bytes:
    """An answer that says it is truncated."""
    reply = _reply(question)
    reply.flags |= dns.flags.TC
    return reply.to_wire()


def by_tcp_only(script: Script) -> Script:
    """Cut short over UDP, `script` over TCP."""

    def both(question, server, by_tcp) -> bytes | None:
        return script(question, server, by_tcp) if by_tcp else cut(question)

    return both


def txt(*texts: str, ttl_s: int = 60) -> Script:
    """TXT records; a long text is cut into strings, as published."""

    def quoted(text: str) -> str:
        return " ".join(f'"{text[at : at + 255]}"' for at in range(0, len(text), 255))

    def script(question, _server, by_tcp) -> bytes:
        reply = _with(question, "TXT", ttl_s, *map(quoted, texts))
        try:
            return reply.to_wire(max_size=65535 if by_tcp else 1232)
        except dns.exception.TooBig:
            return cut(question)

    return script


class DnsThread:
    """`dns_server` in a thread, for tests that do not run in a loop."""

    def __init__(self) -> None:
        self._ready = threading.Event()
        self._ended: asyncio.Event | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    async def _serve(self) -> None:
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        async with dns_server() as self.server:
            self._ready.set()
            await self._ended.wait()

    @property
    def address(self) -> str:
        """For `nameservers:` in relay.yaml."""
        return f"127.0.0.1:{self.server.port}"

    def publish(self, records: list[dict[str, str]]) -> None:
        """Serve the TXT `records` of an answer of the API."""
        for record in records:
            name = record["name"].removesuffix(".")
            self.server.scripts[name, "TXT"] = txt(record["value"])

    def look_up(self, name: bytes, timeout: int = 5) -> bytes | None:
        """As dkimpy asks for the text of a TXT record."""
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = ["127.0.0.1"], self.server.port
        resolver.lifetime = timeout
        try:
            [answer] = resolver.resolve(name.decode().removesuffix("."), "TXT")
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return None
        return b"".join(answer.strings)

    def end(self) -> None:
        """For finalizers."""
        assert self._ended is not None
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(10)
