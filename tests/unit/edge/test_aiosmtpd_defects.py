"""The eleven defects of aiosmtpd 1.4.6 (and the two fixed ones), each with its test.

They are what a server written anew gets wrong first; ours must have none of them.
"""

from __future__ import annotations

import asyncio
import inspect
import re
import time

from aiosmtpd.smtp import SMTP

from relay.core.config import Limits, Listener, ListenerTls
from relay.edge.session import Session
from tests.unit.edge.house import open_house, trusting
from tests.unit.edge.test_behind_a_proxy import SOURCES, TRUSTED


async def test_defect_1_ehlo_offers_pipelining_and_enhanced_codes():
    async with open_house() as house:
        client = await house.connect()
        await client.read()
        heard = str(await client.do("EHLO x"))
        for keyword in ("PIPELINING", "ENHANCEDSTATUSCODES", "DSN"):
            assert keyword in heard
        assert "CHUNKING" not in heard  # not offered, for it is not done


async def test_defect_2_parameters_are_understood_and_keep_their_case():
    async with open_house() as house:
        client = await house.greeted()
        await client.follow("""
            C: MAIL FROM:<a@acme.example> RET=FULL ENVID=MixedCase AUTH=<>
            S: 250
            C: RCPT TO:<b@example.org> NOTIFY=FAILURE ORCPT=rfc822;MixedCase@example.org
            S: 250
        """)
        await client.hand_in()
        await client.read()
        envelope = house.relay.submissions[0].envelope
        assert envelope.envid == "MixedCase"
        assert envelope.recipients[0].orcpt == "rfc822;MixedCase@example.org"


async def test_defect_3_an_exception_is_temporary_and_tells_nothing():
    async with open_house() as house:
        house.relay.error = RuntimeError("secret")
        client = await house.greeted()
        told = (await client.send()).last
        assert re.fullmatch(r"451 4\.3\.0 [a-z ,]+ \[\w{12,}\]", told)
        assert "RuntimeError" not in told
        assert "secret" not in told


async def test_defect_4_the_timeout_is_rearmed_in_data_and_ends_with_421():
    limits = Limits(command_timeout_s=0.1, data_timeout_s=0.2)
    async with open_house(limits=limits) as house:
        client = await house.greeted()
        await client.envelope()
        await client.do("DATA")
        for _ in range(4):
            await client.write(b"x\r\n")
            await asyncio.sleep(0.1)
        await client.write(b".\r\n")
        assert (await client.read()).code == 250
        assert (await client.read()).last.startswith("421 4.4.2")


async def test_defect_5_a_long_line_does_not_fail_the_message():
    async with open_house() as house:
        content = b"x" * 5000 + b"\r\n"
        assert (await (await house.greeted()).send(content)).code == 250
        assert house.relay.submissions[0].content == content


async def test_defect_6_two_sessions_have_limits_of_their_own():
    async with open_house() as house:
        long_line = "MAIL FROM:<a@acme.example> ENVID=" + "x" * 90 + " AUTH=" + "y" * 480
        first = await house.greeted()
        assert (await first.do(long_line)).code == 250
        second = await house.connect()  # aiosmtpd clears the limits of all sessions here
        await second.read()
        await first.do("RSET")
        assert (await first.do(long_line)).code == 250


async def test_defect_7_implicit_tls_offers_auth_and_a_plain_port_does_not(authority):
    files = authority.issue()
    implicit = Listener(
        "127.0.0.1", 0, tls=ListenerTls.IMPLICIT, certificate=files.certificate, key=files.key
    )
    async with open_house(implicit, Listener("127.0.0.1", 0)) as house:
        inside = await house.connect(0, tls=trusting(authority.ca_file))
        await inside.read()
        assert "AUTH" in str(await inside.do("EHLO x"))
        outside = await house.connect(1)
        await outside.read()
        assert "AUTH" not in str(await outside.do("EHLO x"))
        assert (await outside.do("AUTH PLAIN AGFjbWUAcmlnaHQ=")).last.startswith("538 5.7.11")


async def test_defect_8_proxy_headers_have_trusted_sources_and_precede_tls(authority):
    files = authority.issue()
    implicit = Listener(
        "127.0.0.1", 0, tls=ListenerTls.IMPLICIT, proxy_from=TRUSTED.proxy_from,
        certificate=files.certificate, key=files.key,
    )  # fmt: skip
    async with open_house(implicit, Listener("127.0.0.1", 0)) as house:
        context = trusting(authority.ca_file)
        assert await house.greeted(0, preamble=SOURCES[0][0], tls=context)
        spoofing = await house.connect(1, preamble=SOURCES[0][0])
        assert (await spoofing.read()).code == 220
        assert (await spoofing.read()).last.startswith("500 5.5.1")


async def test_defect_9_a_bare_line_feed_does_not_pass():
    async with open_house() as house:
        client = await house.greeted()
        assert (await client.send(b"a\nb\r\n")).last.startswith("550 5.6.11")
        assert house.relay.submissions == []


async def test_defect_10_five_megabytes_take_little_time():
    async with open_house() as house:
        client = await house.greeted()
        content = b"".join(b"line %d of a message\r\n" % number for number in range(200_000))
        began = time.process_time()
        assert (await client.send(content)).code == 250
        assert time.process_time() - began < 0.2  # client and server in one process
        assert house.relay.submissions[0].content == content


def test_defect_11_every_verb_is_there_and_none_is_misspelt():
    def verbs(owner: type) -> set[str]:
        return {name for name, _ in inspect.getmembers(owner) if name.startswith("smtp_")}

    assert verbs(Session) == verbs(SMTP)


async def test_smuggling_stays_fixed():
    """CVE-2024-27305; all variants are in test_smuggling.py."""
    async with open_house() as house:
        client = await house.greeted()
        await client.envelope()
        await client.do("DATA")
        await client.write(b"a\r\n.\nMAIL FROM:<x@acme.example>\r\n.\r\n")
        assert (await client.read()).code == 550
        assert len(house.relay.senders) == 1


async def test_starttls_injection_stays_fixed(authority):
    """CVE-2024-34083; more in test_tls.py."""
    files = authority.issue()
    starttls = Listener(
        "127.0.0.1", 0, tls=ListenerTls.STARTTLS, certificate=files.certificate, key=files.key
    )
    async with open_house(starttls) as house:
        client = await house.greeted()
        await client.write(b"STARTTLS\r\nNOOP\r\n")
        assert (await client.read()).code == 220
        await client.start_tls(trusting(authority.ca_file))
        assert (await client.do("EHLO x")).lines[0] == "250-relay.example.net"
