"""What the DNS says, and what strangers may make it say."""

from __future__ import annotations

import random
import time

import pytest

from relay.core.providers import MxFinding, MxKind
from relay.providers.mx import MxResolver
from relay.providers.nameserver import MOST_ANSWER_BYTES
from tests.harness import dns
from tests.harness.ports import free_port

HOUR_S = 3600.0


async def found(script, domain: str = "acme.example", deadline_s: float = 0.5) -> MxFinding:
    async with dns.dns_server() as server:
        server.scripts[domain] = script
        return await MxResolver(server.nameservers, deadline_s).find(domain)


async def test_the_hosts_of_the_lowest_preference_in_lower_case():
    answer = await found(dns.mx("20 backup.example", "10 MX2.Example", "10 mx1.example"))
    assert answer == MxFinding(MxKind.MX, ("mx1.example", "mx2.example"), HOUR_S)


@pytest.mark.parametrize(
    ("ttl_s", "kept_s"), [(0, 300), (299, 300), (301, 301), (86_399, 86_399), (2**31 - 1, 86_400)]
)
async def test_an_answer_is_fresh_for_five_minutes_to_a_day(ttl_s, kept_s):
    assert (await found(dns.mx("10 mx.example", ttl_s=ttl_s))).ttl_s == kept_s


@pytest.mark.parametrize(
    ("minimum_s", "kept_s"), [(None, 300), (10, 300), (900, 900), (9999, 3600)]
)
async def test_no_such_domain_is_kept_as_long_as_its_soa_says(minimum_s, kept_s):
    answer = await found(dns.no_domain(minimum_s))
    assert answer == MxFinding(MxKind.NO_DOMAIN, (), kept_s)


async def test_a_null_mx_takes_no_mail():
    assert await found(dns.mx("0 .")) == MxFinding(MxKind.NULL, (), HOUR_S)


async def test_a_root_among_others_is_not_a_host():
    answer = await found(dns.mx("0 .", "10 mx.example"))
    assert (answer.kind, answer.hosts) == (MxKind.MX, ("mx.example",))


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1"])
async def test_without_mx_it_is_the_domain_itself_that_has_an_address(address):
    answer = await found(dns.address(address))
    assert answer == MxFinding(MxKind.IMPLICIT, ("acme.example",), 900)


async def test_neither_mx_nor_address_is_nothing():
    assert await found(dns.nothing(600)) == MxFinding(MxKind.NO_HOST, (), 600)


async def test_an_mx_behind_an_alias_counts_with_the_shortest_ttl_of_the_chain():
    def alias(question, _server, _by_tcp):
        reply = dns._with(question, "CNAME", 400, "real.example.")
        more = dns.dns.rrset.from_text("real.example.", 9000, "IN", "MX", "1 mx.example.")
        reply.answer.append(more)
        return reply.to_wire()

    assert await found(alias) == MxFinding(MxKind.MX, ("mx.example",), 400)


async def test_a_truncated_answer_is_asked_for_again_over_tcp():
    assert (await found(dns.by_tcp_only(dns.mx("10 mx.example")))).hosts == ("mx.example",)


@pytest.mark.parametrize("code", ["FORMERR", "NOTIMP"])
@pytest.mark.parametrize("is_header_only", [True, False])
async def test_a_nameserver_that_does_not_know_edns_is_asked_without(code, is_header_only):
    def script(question, server, by_tcp):
        if question.edns < 0:
            return dns.mx("10 mx.example")(question, server, by_tcp)
        refusal = dns.fails(code)(question, server, by_tcp)
        return refusal[:4] + bytes(8) if is_header_only else refusal

    assert (await found(script)).hosts == ("mx.example",)


async def test_a_nameserver_that_takes_no_question_at_all_is_asked_twice():
    async with dns.dns_server() as server:
        server.scripts["acme.example"] = dns.fails("FORMERR")
        answer = await MxResolver(server.nameservers, 0.5).find("acme.example")
    assert (answer.kind, server.questions) == (MxKind.UNKNOWN, 2)


async def test_fifty_hosts_come_over_tcp_and_are_bounded():
    records = [f"10 mx{n:02}.long-name-of-a-host.example" for n in range(50)]
    answer = await found(dns.mx(*records))
    assert answer.hosts == tuple(f"mx{n:02}.long-name-of-a-host.example" for n in range(16))


async def test_a_huge_answer_is_refused_before_it_is_read():
    huge = dns.mx(*[f"10 mx{n}.example" for n in range(2000)])
    began = time.process_time()
    answer = await found(huge)
    assert answer.kind is MxKind.UNKNOWN
    assert MOST_ANSWER_BYTES == 4096
    assert time.process_time() - began < 1.0


@pytest.mark.parametrize(
    ("host", "kept"),
    [
        ("mx_1.example", ("mx_1.example",)),
        ("192.0.2.1", ("192.0.2.1",)),
        (r"a\000b.example", ()),
        (r"a\.b.example", ()),
        (r"\255\254.example", ()),
        ("*.example", ()),
        (".".join(["a" * 60] * 4) + ".example", (".".join(["a" * 60] * 4) + ".example",)),
    ],
)
async def test_a_name_that_is_not_a_host_is_passed_over(host, kept):
    answer = await found(dns.mx(f"10 {host}"))
    assert (answer.kind, answer.hosts) == (MxKind.MX, kept)


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (dns.fails(), "no nameserver answered the question"),
        (dns.fails("REFUSED"), "no nameserver answered the question"),
        (dns.silent(), "no answer within 0.5 s"),
        (dns.raw(b""), "no answer within 0.5 s"),
        (dns.raw(b"\xff" * 400), "no answer within 0.5 s"),
        (dns.raw(lambda wire: b"\x00\x00" + wire[2:]), "no answer within 0.5 s"),
        (dns.raw(lambda wire: wire[:-5]), "no answer within 0.5 s"),
        (dns.by_tcp_only(dns.raw(b"", b"")), "no nameserver answered the question"),
        (dns.by_tcp_only(dns.raw(b"", b"\xff" * 40)), "no nameserver answered the question"),
        (dns.by_tcp_only(dns.silent()), "no nameserver answered the question"),
        (dns.by_tcp_only(dns.another_id()), "no nameserver answered the question"),
    ],
    ids=[
        *("servfail", "refused", "silent", "empty", "garbage", "wrong id", "short"),
        *("tcp empty", "tcp garbage", "tcp closed", "tcp wrong id"),
    ],
)
async def test_what_is_no_answer_is_unknown_and_says_why(script, why):
    assert await found(script) == MxFinding(MxKind.UNKNOWN, why=why)


async def test_a_failure_while_looking_for_an_address_is_unknown_and_not_nothing():
    async with dns.dns_server() as server:
        server.scripts["acme.example", "MX"] = dns.nothing()
        server.scripts["acme.example", "A"] = dns.nothing()
        server.scripts["acme.example", "AAAA"] = dns.fails()
        answer = await MxResolver(server.nameservers, 0.5).find("acme.example")
    assert answer.kind is MxKind.UNKNOWN


async def test_the_deadline_is_for_all_questions_about_a_domain_together():
    async with dns.dns_server() as server:
        server.delay_s = 0.15
        server.scripts["acme.example"] = dns.nothing()
        began = time.perf_counter()
        answer = await MxResolver(server.nameservers, 0.25).find("acme.example")
        assert time.perf_counter() - began < 0.4
    assert answer.why == "no answer within 0.25 s"


async def test_the_next_nameserver_is_asked_when_one_is_not_there():
    async with dns.dns_server() as server:
        server.scripts["acme.example"] = dns.mx("10 mx.example")
        servers = [("127.0.0.1", free_port()), *server.nameservers]
        answer = await MxResolver(servers, 1.0).find("acme.example")
    assert answer.hosts == ("mx.example",)


async def test_a_machine_without_nameservers_is_unknown(monkeypatch, tmp_path):
    import dns.resolver

    (tmp_path / "resolv.conf").write_text("# nothing\n")
    read = dns.resolver.BaseResolver.read_resolv_conf
    monkeypatch.setattr(
        dns.resolver.BaseResolver,
        "read_resolv_conf",
        lambda self, _: read(self, str(tmp_path / "resolv.conf")),
    )
    answer = await MxResolver().find("acme.example")
    assert answer == MxFinding(MxKind.UNKNOWN, why="this machine names no nameserver")


async def test_the_nameservers_of_the_system_are_read_again_after_a_minute(monkeypatch, tmp_path):
    import dns.resolver

    file = tmp_path / "resolv.conf"
    file.write_text("nameserver 192.0.2.1\n")
    read = dns.resolver.BaseResolver.read_resolv_conf
    monkeypatch.setattr(
        dns.resolver.BaseResolver, "read_resolv_conf", lambda self, _: read(self, str(file))
    )
    now = [0.0]
    resolver = MxResolver(monotonic=lambda: now[0])
    seen = []
    for moment, text in ((0.0, "192.0.2.1"), (59.0, "192.0.2.2"), (61.0, "192.0.2.3")):
        file.write_text(f"nameserver {text}\n")
        now[0] = moment
        seen.append([(s.address, s.port) for s in resolver._resolvers.current().nameservers])
    assert seen == [[("192.0.2.1", 53)], [("192.0.2.1", 53)], [("192.0.2.3", 53)]]


async def test_answers_with_random_bytes_turned_never_raise():
    chance = random.Random(20261122)

    def mangled(wire: bytes) -> bytes:
        twisted = bytearray(wire)
        for _ in range(chance.randint(1, 6)):
            twisted[chance.randrange(2, len(twisted))] = chance.randrange(256)
        return bytes(twisted[: chance.randint(12, len(twisted))])

    async with dns.dns_server() as server:
        resolver = MxResolver(server.nameservers, 0.02)
        server.scripts["acme.example"] = dns.raw(mangled, b"")
        kinds = {(await resolver.find("acme.example")).kind for _ in range(60)}
    assert MxKind.UNKNOWN in kinds
