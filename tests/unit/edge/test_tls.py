from __future__ import annotations

import asyncio
import ssl

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from relay.core.config import Listener, ListenerTls
from relay.edge.tls import Certificate
from tests.unit.edge.client import Client
from tests.unit.edge.house import open_house, trusting

PLAIN = "AUTH PLAIN AGFjbWUAcmlnaHQ="


@pytest.fixture
def tls_files(authority):
    return authority.issue()


def listener(tls: ListenerTls, files) -> Listener:
    return Listener("127.0.0.1", 0, tls=tls, certificate=files.certificate, key=files.key)


async def test_starttls_is_offered_until_it_is_active_and_auth_only_then(authority, tls_files):
    async with open_house(listener(ListenerTls.STARTTLS, tls_files)) as house:
        client = await house.connect()
        await client.read()
        before = await client.do("EHLO client.example")
        assert any(line.endswith("STARTTLS") for line in before.lines)
        assert not any("AUTH" in line for line in before.lines)
        await client.follow(f"""
            C: {PLAIN}
            S: 538 5.7.11
            C: STARTTLS now
            S: 501 5.5.4
            C: STARTTLS
            S: 220 2.0.0
        """)
        await client.start_tls(trusting(authority.ca_file))
        after = await client.do("EHLO client.example")
        assert not any("STARTTLS" in line for line in after.lines)
        assert after.last == "250 AUTH PLAIN LOGIN"
        await client.follow(f"""
            C: STARTTLS
            S: 503 5.5.1
            C: {PLAIN}
            S: 235 2.7.0
        """)
        assert (await client.send()).code == 250
        assert house.relay.submissions[0].client.protocol == "ESMTPSA"


async def test_starttls_forgets_everything_said_before(authority, tls_files):
    async with open_house(listener(ListenerTls.STARTTLS, tls_files)) as house:
        client = await house.greeted()
        await client.envelope()
        assert (await client.do("STARTTLS")).code == 220
        await client.start_tls(trusting(authority.ca_file))
        await client.follow(f"""
            C: RCPT TO:<b@example.org>
            S: 503 5.5.1
            C: MAIL FROM:<a@acme.example>
            S: 503 5.5.1 send HELO or EHLO first
            C: {PLAIN}
            S: 503 5.5.1 send EHLO first
        """)


async def test_authentication_in_clear_does_not_outlive_starttls(authority, tls_files):
    starttls = Listener(
        "127.0.0.1", 0, tls=ListenerTls.STARTTLS, plaintext_auth=True,
        certificate=tls_files.certificate, key=tls_files.key,
    )  # fmt: skip
    async with open_house(starttls) as house:
        client = await house.greeted()
        assert (await client.do(PLAIN)).code == 235
        assert (await client.do("STARTTLS")).code == 220
        await client.start_tls(trusting(authority.ca_file))
        await client.do("EHLO client.example")
        assert (await client.send()).code == 250
        assert house.relay.submissions[0].client.username is None


async def test_what_is_pipelined_in_clear_behind_starttls_is_thrown_away(authority, tls_files):
    """CVE-2024-34083."""
    async with open_house(listener(ListenerTls.STARTTLS, tls_files)) as house:
        client = await house.greeted()
        await client.write(
            b"STARTTLS\r\nEHLO evil.example\r\nMAIL FROM:<evil@acme.example>\r\n"
            b"RCPT TO:<b@example.org>\r\n"
        )
        assert (await client.read()).code == 220
        await client.start_tls(trusting(authority.ca_file))
        assert (await client.do("RCPT TO:<c@example.org>")).last.startswith("503 5.5.1")
        assert (await client.do("NOOP")).last == "250 2.0.0 Ok"
        assert house.relay.senders == []


async def test_a_failed_handshake_ends_the_connection_and_nothing_else(tls_files):
    async with open_house(
        listener(ListenerTls.STARTTLS, tls_files), listener(ListenerTls.IMPLICIT, tls_files)
    ) as house:
        client = await house.greeted()
        await client.do("STARTTLS")
        await client.write(b"MAIL FROM:<evil@acme.example>\r\n" * 20)
        await client.is_closed()
        clear = await house.connect(1)
        await clear.write(b"EHLO client.example\r\n")
        await clear.is_closed()
        silent = await house.connect(1)
        silent.reset()
        await house.empty()
        assert house.relay.senders == []
        assert len(house.observer.closed) == 3


async def test_implicit_tls_greets_inside_and_offers_auth(authority, tls_files):
    async with open_house(listener(ListenerTls.IMPLICIT, tls_files)) as house:
        client = await house.connect(tls=trusting(authority.ca_file))
        await client.read()
        heard = await client.do("EHLO client.example")
        assert heard.last == "250 AUTH PLAIN LOGIN"
        assert not any("STARTTLS" in line for line in heard.lines)
        assert (await client.do(PLAIN)).code == 235
        content = b"Subject: x\r\n\r\n" + b"y" * 3_000_000 + b"\r\n"
        assert (await client.send(content)).code == 250
        assert house.relay.submissions[0].content == content
        assert (await client.do("QUIT")).code == 221
        assert await client.is_closed()


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_old_tls_is_not_spoken(authority, tls_files):
    context = trusting(authority.ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    async with open_house(listener(ListenerTls.IMPLICIT, tls_files)) as house:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await house.connect(tls=context)


def serial(client: Client) -> int:
    certificate = client.writer.get_extra_info("peercert")
    return int(certificate["serialNumber"], 16)


async def test_a_renewed_certificate_is_used_for_new_connections(authority, tls_files):
    context = trusting(authority.ca_file)
    async with open_house(listener(ListenerTls.IMPLICIT, tls_files)) as house:
        old = await house.connect(tls=context)
        await old.read()
        renewed = authority.issue()
        assert house.listeners.reload_certificates()
        new = await house.connect(tls=context)
        assert (serial(old), serial(new)) == (tls_files.serial, renewed.serial)
        assert (await old.do("NOOP")).code == 250
        renewed.key.write_text("not a key")
        assert not house.listeners.reload_certificates()
        assert serial(await house.connect(tls=context)) == renewed.serial


async def test_renewed_files_are_noticed_and_unusable_ones_told(authority, tls_files, monkeypatch):
    monkeypatch.setattr("relay.edge.listeners.RENEW_EVERY_S", 0.05)
    monkeypatch.setattr("relay.edge.listeners.SETTLE_S", 0.01)
    context, stop = trusting(authority.ca_file), asyncio.Event()
    async with open_house(listener(ListenerTls.IMPLICIT, tls_files)) as house:
        renewing = asyncio.ensure_future(house.listeners.renew_certificates(stop))
        renewed = authority.issue()
        async with asyncio.timeout(5):
            while serial(await house.connect(tls=context)) != renewed.serial:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            assert not house.listeners.has_stale_certificate
            renewed.key.write_text("not a key")
            while not house.listeners.has_stale_certificate:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert serial(await house.connect(tls=context)) == renewed.serial
        stop.set()
        await renewing


async def test_nobody_is_asked_for_the_passphrase_of_a_key(tls_files):
    key = load_pem_private_key(tls_files.key.read_bytes(), None)
    secret = BestAvailableEncryption(b"passphrase")
    served = Certificate(tls_files.certificate, tls_files.key)
    before = served.context
    tls_files.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, secret))
    assert not served.reload()
    assert served.context is before
    with pytest.raises(OSError, match="the key has a passphrase"):
        Certificate(tls_files.certificate, tls_files.key)


async def test_tls_without_a_certificate_is_refused_at_the_start():
    with pytest.raises(OSError, match="needs a certificate"):
        async with open_house(
            Listener("127.0.0.1", 0), Listener("127.0.0.1", 0, tls=ListenerTls.STARTTLS)
        ):
            pass


async def test_pipelining_works_inside_tls(authority, tls_files):
    async with open_house(listener(ListenerTls.IMPLICIT, tls_files)) as house:
        client = await house.connect(tls=trusting(authority.ca_file))
        await client.write(
            b"EHLO c.example\r\nMAIL FROM:<a@acme.example>\r\nRCPT TO:<b@example.org>\r\n"
            b"DATA\r\nSubject: x\r\n\r\ny\r\n.\r\nQUIT\r\n"
        )
        codes = [(await client.read()).code for _ in range(7)]
        assert codes == [220, 250, 250, 250, 354, 250, 221]
        client.close()
        async with asyncio.timeout(5):
            await house.empty()
        assert house.relay.log == ["relay m1", "taken m1", "heard m1"]
