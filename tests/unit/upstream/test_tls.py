"""STARTTLS, implicit TLS and AUTH, on both event loops, against a CA of the test's own."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import replace
from pathlib import Path

import pytest

from relay.core.config import Security
from relay.ports.upstream import SaidNo, Taken, Unknown, Unreachable
from relay.upstream.build import open_upstream
from relay.upstream.handshake import tls_context
from tests.harness.certs import Authority
from tests.harness.smtp_script import Act, Then, close, garbage, refuse, reset, stall
from tests.harness.smtp_sink import Offers, Sink
from tests.unit.upstream.given import HEAD, Counting, outgoing, smtp_config, upstream
from tests.unit.upstream.loops import on_both_loops

SECRET = "correct horse battery"
STARTTLS = Offers(starttls=True)


@pytest.fixture(scope="module")
def ca(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


def server_side(ca: Authority, host: str = "localhost") -> ssl.SSLContext:
    cert = ca.issue(host, host=host)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert.certificate, cert.key)
    return context


def sink_with(ca: Authority, security: Security, **options: object) -> Sink:
    implicit = security is Security.IMPLICIT
    offers = options.pop("offers", Offers(starttls=not implicit))
    return Sink(offers, tls=server_side(ca), implicit_tls=implicit, **options)


SECURED = [Security.STARTTLS, Security.OPPORTUNISTIC, Security.IMPLICIT]


@on_both_loops
@pytest.mark.parametrize("security", SECURED)
async def test_a_message_goes_over_tls_byte_for_byte(ca: Authority, security: Security):
    body = b"\r\n" + b".a line\r\n" * 200_000
    options = {"ca_file": ca.ca_file, "host": "localhost", "final_timeout_s": 5.0}
    async with sink_with(ca, security) as sink:
        async with upstream(sink.port, security=security, **options) as up:
            for _ in range(2):
                assert isinstance(await up.deliver(outgoing(body=body)), Taken)
        await asyncio.sleep(0.05)
        assert sink.open == 0
    assert [message.content == HEAD + body for message in sink.messages] == [True, True]
    assert sink.connections == 1
    assert sink.verbs()[-1] == "QUIT"
    assert sink.tls_versions <= {"TLSv1.2", "TLSv1.3"}
    assert sink.server_names == {"localhost"}


@on_both_loops
@pytest.mark.parametrize("security", SECURED)
async def test_many_recipients_and_a_refusal_over_tls(ca: Authority, security: Security):
    names = [f"recipient.number.{n}@example{n}.net" for n in range(1000)]
    async with (
        sink_with(ca, security) as sink,
        upstream(sink.port, security=security, ca_file=ca.ca_file) as up,
    ):
        sink.script.add("RCPT", refuse("550 5.1.1 no").at(b"number.500@").once())
        assert isinstance(await up.deliver(outgoing(*names)), SaidNo)
        assert isinstance(await up.deliver(outgoing(*names)), Taken)
        assert sink.connections == 1


@on_both_loops
@pytest.mark.parametrize("act", [reset(), close(), stall(), garbage()])
@pytest.mark.parametrize("security", [Security.STARTTLS, Security.IMPLICIT])
async def test_trouble_over_tls_is_told_apart_by_the_final_dot(
    ca: Authority, security: Security, act: Act
):
    quick = {"ca_file": ca.ca_file, "command_timeout_s": 0.5, "final_timeout_s": 0.2}
    async with (
        sink_with(ca, security) as sink,
        upstream(sink.port, security=security, **quick) as up,
    ):
        sink.script.add("RCPT", act)
        assert isinstance(await up.deliver(outgoing()), Unreachable)
        sink.script.clear()
        sink.script.add("DOT", act)
        assert isinstance(await up.deliver(outgoing()), Unknown)


@on_both_loops
@pytest.mark.parametrize("security", SECURED)
async def test_a_certificate_of_an_unknown_authority_is_refused(ca: Authority, security: Security):
    async with sink_with(ca, security) as sink, upstream(sink.port, security=security) as up:
        outcome = await up.deliver(outgoing())
    assert isinstance(outcome, Unreachable)
    assert "certificate verify failed" in outcome.why
    assert "MAIL" not in sink.verbs()


@on_both_loops
@pytest.mark.parametrize("security", SECURED)
async def test_a_certificate_for_another_name_is_refused(ca: Authority, security: Security):
    tls = server_side(ca, "other.example")
    offers = Offers(starttls=security is not Security.IMPLICIT)
    options = {"ca_file": ca.ca_file, "host": "localhost", "security": security}
    async with Sink(offers, tls=tls, implicit_tls=security is Security.IMPLICIT) as sink:
        async with upstream(sink.port, **options) as up:
            outcome = await up.deliver(outgoing())
        assert isinstance(outcome, Unreachable)
        assert "certificate verify failed" in outcome.why
        async with upstream(sink.port, verify=False, **options) as up:
            assert isinstance(await up.deliver(outgoing()), Taken)


@on_both_loops
async def test_starttls_that_is_required_and_not_offered_is_unreachable():
    async with Sink() as sink, upstream(sink.port, security=Security.STARTTLS) as up:
        outcome = await up.deliver(outgoing())
    assert isinstance(outcome, Unreachable)
    assert "STARTTLS" in outcome.why
    assert "MAIL" not in sink.verbs()


async def test_opportunistic_goes_without_where_starttls_is_not_offered():
    async with Sink() as sink, upstream(sink.port, security=Security.OPPORTUNISTIC) as up:
        assert isinstance(await up.deliver(outgoing()), Taken)


@on_both_loops
@pytest.mark.parametrize(
    "act",
    [
        refuse("454 4.7.0 not now"),
        close(),
        reset(),
        stall(),
        garbage(),
        Act(b"220 go\r\n", Then.CLOSE),
    ],
)
@pytest.mark.parametrize("security", [Security.STARTTLS, Security.OPPORTUNISTIC])
async def test_a_starttls_that_fails_is_unreachable_and_never_goes_on_in_clear(
    ca: Authority, security: Security, act: Act
):
    async with sink_with(ca, security) as sink:
        sink.script.add("STARTTLS", act)
        async with upstream(
            sink.port, security=security, ca_file=ca.ca_file, command_timeout_s=0.4
        ) as up:
            outcome = await up.deliver(outgoing())
    assert isinstance(outcome, Unreachable)
    assert "STARTTLS" in outcome.why
    assert "MAIL" not in sink.verbs()


@on_both_loops
async def test_implicit_tls_to_a_plain_server_is_unreachable(ca: Authority):
    options = {"security": Security.IMPLICIT, "ca_file": ca.ca_file, "connect_timeout_s": 0.5}
    async with Sink() as sink, upstream(sink.port, **options) as up:
        assert isinstance(await up.deliver(outgoing()), Unreachable)


@on_both_loops
async def test_what_was_offered_before_tls_is_forgotten(ca: Authority):
    async with (
        sink_with(ca, Security.STARTTLS) as sink,
        upstream(sink.port, security=Security.STARTTLS, ca_file=ca.ca_file) as up,
    ):
        sink.script.add("EHLO", refuse("250-x\r\n250-STARTTLS\r\n250 XEVIL").once())
        assert isinstance(await up.deliver(outgoing()), Taken)
        assert "XEVIL" not in (up.offers or ())


@on_both_loops
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
async def test_credentials_are_used_over_tls(ca: Authority, mechanism: str):
    offers = Offers(starttls=True, auth=(mechanism,))
    users = {"relay": SECRET}
    async with sink_with(ca, Security.STARTTLS, offers=offers, users=users) as sink:
        login = {"username": "relay", "password": SECRET, "ca_file": ca.ca_file}
        async with upstream(sink.port, security=Security.STARTTLS, **login) as up:
            assert isinstance(await up.deliver(outgoing()), Taken)
    assert "AUTH" in sink.verbs()


ECHO = Act(b"500 5.5.1 unknown command: AUTH PLAIN " + SECRET.encode() + b"\r\n")


@on_both_loops
@pytest.mark.parametrize("act", [Act(), ECHO, garbage(SECRET.encode() + b"\r\n"), close(), stall()])
async def test_refused_credentials_are_unreachable_and_no_secret_is_told(
    ca: Authority, act: Act, caplog
):
    offers = Offers(starttls=True, auth=("PLAIN",))
    async with sink_with(ca, Security.STARTTLS, offers=offers, users={"relay": "x"}) as sink:
        sink.script.add("AUTH", act)
        login = {"username": "relay", "password": SECRET, "ca_file": ca.ca_file}
        async with upstream(
            sink.port, security=Security.STARTTLS, command_timeout_s=0.4, **login
        ) as up:
            outcome = await up.deliver(outgoing())
    assert isinstance(outcome, Unreachable)
    assert "AUTH" in outcome.why
    assert SECRET not in outcome.why + caplog.text
    assert "MAIL" not in sink.verbs()


@on_both_loops
@pytest.mark.parametrize("mechanisms", [(), ("GSSAPI",)])
async def test_an_upstream_that_knows_no_login_is_told_of_in_words(mechanisms: tuple[str, ...]):
    async with (
        Sink(Offers(auth=mechanisms)) as sink,
        upstream(sink.port, username="relay", password=SECRET) as up,
    ):
        outcome = await up.deliver(outgoing())
    assert isinstance(outcome, Unreachable)
    assert "AUTH: the server offers none that the relay knows" in outcome.why


@pytest.mark.parametrize("security", [Security.NONE, Security.OPPORTUNISTIC])
async def test_a_password_never_goes_over_the_network_unencrypted(security: Security, monkeypatch):
    async with Sink(Offers(auth=("PLAIN",)), users={"relay": SECRET}) as sink:
        login = {"username": "relay", "password": SECRET, "security": security}
        async with upstream(sink.port, **login) as up:
            assert isinstance(await up.deliver(outgoing()), Taken), "loopback is no network"
        monkeypatch.setattr(
            "aiosmtplib.SMTP.get_transport_info",
            lambda _, key: ("192.0.2.7", 25) if key == "peername" else None,
        )
        async with upstream(sink.port, **login) as up:
            outcome = await up.deliver(outgoing())
    assert isinstance(outcome, Unreachable)
    assert "unencrypted" in outcome.why
    assert sink.verbs(connection=2) == ["EHLO"]


def test_nothing_older_than_tls_1_2_and_no_unchecked_name():
    context = tls_context(smtp_config(25))
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED


@pytest.mark.parametrize("content", [None, b"", b"not a certificate"])
def test_an_unusable_ca_file_is_found_out_at_once(tmp_path: Path, content: bytes | None):
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    config = replace(smtp_config(25), ca_file=file)
    with pytest.raises(OSError):  # noqa: PT011 - the kinds differ, the promise is OSError
        open_upstream(config, "relay.example", Counting())
