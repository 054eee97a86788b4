"""Small things at the entrance: roster, turnstile, certificate, reference ids."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network

import pytest

from relay.core.config import Limits
from relay.edge.peers import is_within, plain
from relay.edge.refs import new_ref, protocol_name
from relay.edge.roster import Roster
from relay.edge.tls import Certificate
from relay.edge.turnstile import Turnstile

HERE, THERE = ip_address("192.0.2.1"), ip_address("192.0.2.2")


class Guest:
    has_client = True

    def dismiss(self) -> None:
        pass

    def cut_off(self) -> None:
        pass


async def test_a_session_is_alive_while_its_client_is_there():
    roster, guest = Roster("abc"), Guest()
    ids = [roster.next_id(), roster.next_id()]
    assert ids == ["abc.1", "abc.2"]
    roster.enter(ids[0], guest)
    assert roster.session_is_alive("abc.1")
    assert not roster.session_is_alive("abc.2")
    guest.has_client = False
    assert not roster.session_is_alive("abc.1")
    roster.leave("abc.1")
    roster.leave("abc.1")
    async with asyncio.timeout(1):
        await roster.emptied()


def test_the_turnstile_counts_all_and_each_address():
    turnstile, limits = Turnstile(), Limits(connections=3, connections_per_address=2)
    assert turnstile.enter(HERE, limits) is None
    assert turnstile.enter(HERE, limits) is None
    assert str(turnstile.enter(HERE, limits)).startswith("421 4.3.2")
    assert turnstile.enter(THERE, limits) is None
    assert str(turnstile.enter(THERE, limits)).startswith("421 4.3.2")
    turnstile.leave(HERE)
    assert turnstile.enter(THERE, limits) is None


def test_a_bad_certificate_keeps_the_old_one(authority):
    files = authority.issue()
    certificate = Certificate(files.certificate, files.key)
    before = certificate.context
    assert before.minimum_version == ssl.TLSVersion.TLSv1_2
    files.certificate.write_text("nonsense")
    assert not certificate.reload()
    assert certificate.context is before
    authority.issue()
    assert certificate.reload()
    assert certificate.context is not before
    with pytest.raises(OSError, match=r".+"):
        Certificate(files.certificate.with_name("missing.pem"), files.key)


def test_references_are_unique_and_sort_by_time():
    now = datetime(2026, 3, 3, tzinfo=UTC)
    refs = [new_ref(now + timedelta(seconds=at)) for at in range(50)]
    assert refs == sorted(refs)
    assert len({new_ref(now) for _ in range(1000)}) == 1000
    assert all(ref.isalnum() and ref == ref.lower() and len(ref) == 16 for ref in refs)


def test_the_protocol_is_named_as_iana_has_it():
    def name(**given: bool) -> str:
        return protocol_name(
            **{"extended": True, "tls": False, "auth": False, "utf8": False} | given
        )

    assert name(extended=False, tls=True) == "SMTP"
    assert name() == "ESMTP"
    assert name(tls=True, auth=True) == "ESMTPSA"
    assert name(auth=True) == "ESMTPA"
    assert name(tls=True, auth=True, utf8=True) == "UTF8SMTPSA"


def test_a_mapped_address_is_the_ipv4_one():
    assert plain(ip_address("::ffff:192.0.2.1")) == HERE
    assert plain(ip_address("2001:db8::1")) == ip_address("2001:db8::1")
    assert is_within(HERE, (ip_network("192.0.2.0/24"),))
    assert not is_within(HERE, (ip_network("2001:db8::/32"),))
