"""What /dashboard/connect tells to copy works with the listener that it names."""

from __future__ import annotations

import re
import smtplib
import ssl
from html import unescape
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.conftest import MakeRelay
from tests.harness.arrived import arrived
from tests.harness.certs import Authority
from tests.harness.clients import letter
from tests.harness.relay_config import LOOPBACK
from tests.harness.relay_process import RelayProcess, run_command
from tests.harness.visitor import Visitor

PASSWORD = "correct horse battery staple"
PLAIN = {"tls": "none", "plaintext_auth": "loopback"}
STARTTLS = {"tls": "starttls", "auth": "required"}
IMPLICIT = {"tls": "implicit", "auth": "required"}


@pytest.mark.parametrize(
    ("listener", "by_network", "words"),
    [
        ({"tls": "none"}, True, ("without TLS", "without a user name")),
        (PLAIN, False, ("without TLS", "with a user name")),
        ({**STARTTLS, "auth": "optional"}, True, ("with STARTTLS", "without a user name")),
        (STARTTLS, False, ("with STARTTLS", "with a user name")),
        (IMPLICIT, False, ("with TLS from the first byte", "with a user name")),
    ],
)
def test_the_snippet_for_django_sends_as_it_stands(
    make_relay: MakeRelay,
    tmp_path: Path,
    listener: dict[str, Any],
    by_network: bool,
    words: tuple[str, str],
) -> None:
    authority = Authority(tmp_path / "ca")
    if listener["tls"] != "none":
        served = authority.issue()
        listener = {**listener, "certificate": str(served.certificate), "key": str(served.key)}
    made = run_command("token", "--json").json
    names = {"credentials": [{"username": "mailer", "secret": made["secret"]}]}
    tenant = {"networks": [LOOPBACK]} if by_network else names
    relay = make_relay(api=True, listeners=[listener], tenant=tenant)
    relay.start()
    page = connect_page_of(relay)
    assert all(word in page for word in words)
    told: dict[str, Any] = {"os": SimpleNamespace(environ={"RELAY_TOKEN": made["token"]})}
    exec(snippet(page, "django"), told)
    assert send_as_django(told, ssl.create_default_context(cafile=authority.ca_file)) == {}
    assert len(arrived(relay.home / "outbound")) == 1


def connect_page_of(relay: RelayProcess) -> str:
    ran = relay.cli("user", "add", "tina", "--tenant", "acme", stdin=f"{PASSWORD}\n")
    assert ran.exit == 0
    tina = Visitor(relay.config.web_port)
    assert tina.sign_in("tina", PASSWORD).status == 303
    return tina.get("/dashboard/connect").text


def snippet(page: str, name: str) -> str:
    [found] = re.findall(rf'<pre id="{name}"[^>]*>([^<]*)<', page)
    return unescape(found)


def send_as_django(told: dict[str, Any], context: ssl.SSLContext) -> dict[str, Any]:
    """One message, by what Django's backend does with such settings; who was refused."""
    where = (told["EMAIL_HOST"], told["EMAIL_PORT"])
    is_tls = told.get("EMAIL_USE_SSL")
    session = smtplib.SMTP_SSL(*where, context=context) if is_tls else smtplib.SMTP(*where)
    with session:
        if told.get("EMAIL_USE_TLS"):
            session.starttls(context=context)
        if "EMAIL_HOST_USER" in told:
            session.login(told["EMAIL_HOST_USER"], told["EMAIL_HOST_PASSWORD"])
        return session.send_message(letter(told["DEFAULT_FROM_EMAIL"], "ann@example.org"))
