"""STARTTLS, implicit TLS, generated tokens, and a renewed certificate without a restart."""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import MakeRelay
from tests.harness.arrived import arrived
from tests.harness.certs import Authority, ServerCert
from tests.harness.clients import (
    Login,
    send_django,
    send_msmtp,
    send_nodemailer,
    send_smtplib,
    send_swaks,
)
from tests.harness.relay_config import DOMAIN
from tests.harness.relay_process import RelayProcess, run_command
from tests.harness.waiting import until
from tests.harness.wire import Wire, mail

SENDER = f"news@{DOMAIN}"


@dataclass(frozen=True, slots=True)
class Token:
    """What `warmup-relay token` gave: the token, and the hash for the config."""

    token: str
    secret: str


@pytest.fixture(scope="module")
def token() -> Token:
    ran = run_command("token", "--json")
    assert ran.exit == 0, ran
    return Token(ran.json["token"], ran.json["secret"])


@dataclass(slots=True)
class Served:
    """A relay with STARTTLS on its first and implicit TLS on its second listener."""

    relay: RelayProcess
    context: ssl.SSLContext
    login: Login
    certificate: ServerCert

    @property
    def starttls_port(self) -> int:
        return self.relay.config.smtp_ports[0]

    @property
    def implicit_port(self) -> int:
        return self.relay.config.smtp_ports[1]


@pytest.fixture
def served(make_relay: MakeRelay, authority: Authority, token: Token) -> Served:
    certificate = authority.issue("relay")
    files = {"certificate": str(certificate.certificate), "key": str(certificate.key)}
    relay = make_relay(
        listeners=[
            {"tls": "starttls", "auth": "required", **files},
            {"tls": "implicit", "auth": "required", **files},
        ],
        tenant={"credentials": [{"username": "acme", "secret": token.secret}]},
    ).start()
    context = ssl.create_default_context(cafile=str(authority.ca_file))
    return Served(relay, context, Login("acme", token.token, authority.ca_file), certificate)


def test_starttls_hides_auth_until_tls_and_a_token_lets_mail_through(served: Served) -> None:
    with Wire(served.starttls_port) as wire:
        assert "STARTTLS" in wire.keywords
        assert "AUTH" not in wire.keywords
        assert wire.do(f"MAIL FROM:<{SENDER}>").code == 530
        wire.starttls(served.context)
        assert "AUTH" in wire.keywords
        assert "STARTTLS" not in wire.keywords
        assert wire.do(f"MAIL FROM:<{SENDER}>").code == 530
        assert wire.auth_plain("acme", served.login.password).code == 235
        assert wire.send(SENDER, "reader@example.org", mail(SENDER)).code == 250
    [message] = arrived(served.relay.home / "outbound")
    assert b" with ESMTPSA " in b" ".join(message.split())


def test_implicit_tls_offers_auth_at_once_and_login_works_too(served: Served) -> None:
    with smtplib.SMTP_SSL(
        "localhost", served.implicit_port, timeout=10, context=served.context
    ) as session:
        session.ehlo()
        assert session.has_extn("auth")
        session.user, session.password = "acme", served.login.password
        session.auth("LOGIN", session.auth_login)
        session.sendmail(SENDER, ["reader@example.org"], mail(SENDER))
    assert len(arrived(served.relay.home / "outbound")) == 1


@pytest.mark.parametrize("name", ["smtplib", "swaks", "msmtp", "nodemailer", "django"])
def test_real_clients_log_in_over_starttls(served: Served, name: str, tmp_path: Path) -> None:
    port, to, login = served.starttls_port, "reader@example.org", served.login
    answer = {
        "smtplib": lambda: send_smtplib(port, SENDER, to, login),
        "swaks": lambda: send_swaks(port, SENDER, to, login),
        "msmtp": lambda: send_msmtp(port, SENDER, to, tmp_path, login),
        "nodemailer": lambda: send_nodemailer(port, SENDER, to, login),
        "django": lambda: send_django(port, SENDER, to, login),
    }[name]()
    assert answer.ok, f"{answer}\n{served.relay.log_tail()}"
    assert len(arrived(served.relay.home / "outbound")) == 1


def test_a_wrong_token_is_535_and_never_stands_in_the_log(served: Served) -> None:
    with Wire(served.implicit_port, tls=served.context) as wire:
        reply = wire.auth_plain("acme", "wr_not-the-token")
        assert (reply.code, reply.enhanced) == (535, "5.7.8")
        assert wire.auth_plain("acme", served.login.password).code == 235
    log = (served.relay.home / "relay.log").read_text()
    assert "wr_not-the-token" not in log
    assert served.login.password not in log


def test_tls_1_1_is_not_spoken(served: Served) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.load_verify_locations(str(served.login.ca_file))
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        Wire(served.implicit_port, tls=old)


def test_what_was_said_before_starttls_is_forgotten_after_it(served: Served) -> None:
    with Wire(served.starttls_port) as wire:
        wire.write(b"STARTTLS\r\nNOOP injected\r\n")
        assert wire.read().code == 220
        wire._socket = served.context.wrap_socket(wire._socket, server_hostname="localhost")
        reply = wire.do("MAIL FROM:<x@other.example>")
        assert reply.code in {503, 530}, reply  # an answer to MAIL, not to the injected NOOP


def test_a_renewed_certificate_is_served_without_a_restart(
    served: Served, authority: Authority
) -> None:
    with Wire(served.implicit_port, tls=served.context) as old:
        assert old.serial() == served.certificate.serial
        renewed = authority.issue("relay")
        served.relay.hang_up()

        def serials() -> set[int]:
            with Wire(served.implicit_port, tls=served.context) as implicit:
                found = {implicit.serial()}
            with Wire(served.starttls_port) as wire:
                wire.starttls(served.context)
                return found | {wire.serial()}

        until(
            lambda: serials() == {renewed.serial}, "the new certificate", timeout_s=15, every_s=0.3
        )
        assert old.do("NOOP").code == 250, "a standing connection was dropped"


def test_a_certificate_that_cannot_be_read_leaves_the_old_one(served: Served) -> None:
    served.certificate.certificate.write_text("not a certificate\n")
    served.relay.hang_up()
    until(
        lambda: "kept as it was" in served.relay.log_tail(),
        "the refusal",
        timeout_s=15,
        detail=served.relay.log_tail,
    )
    with Wire(served.implicit_port, tls=served.context) as wire:
        assert wire.serial() == served.certificate.serial
