"""TLS: nothing said in clear counts after it, on both sides; and no peer is trusted unproven."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from tests.attacks.conftest import SENDER, Besiege, Besieged
from tests.harness.certs import Authority, ServerCert
from tests.harness.smtp_script import Act
from tests.harness.smtp_sink import Offers
from tests.harness.upstream import SinkThread
from tests.harness.wire import Wire, mail

USERS = {"me": "hunter2-upstream"}
STARTTLS = Offers(starttls=True, auth=("PLAIN", "LOGIN"))
CASES = (
    "right", "expired", "wrong host", "unknown authority", "stripped", "injected", "old tls",
    "refused", "no tls behind 220",
)  # fmt: skip


@dataclass(slots=True)
class Fort:
    """A relay with STARTTLS, and one upstream for each case."""

    besieged: Besieged
    upstreams: dict[str, SinkThread]
    ca_file: str


def _context(files: ServerCert, *, old: bool = False) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    if old:
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


def _upstream(case: str, own: Authority, other: Authority) -> SinkThread:
    files = {
        "expired": lambda: own.issue("expired", age_days=60),
        "wrong host": lambda: own.issue("wrong", host="elsewhere.example", address="192.0.2.1"),
        "unknown authority": lambda: other.issue("unknown"),
    }.get(case, lambda: own.issue("upstream"))()
    offers = Offers(auth=("PLAIN", "LOGIN")) if case == "stripped" else STARTTLS
    sink = SinkThread(offers, tls=_context(files, old=case == "old tls"), users=USERS)
    if case == "injected":
        behind = b"220 go ahead\r\n250-sink.example\r\n250-AUTH PLAIN LOGIN\r\n250 SIZE 1\r\n"
        sink.script.add("STARTTLS", Act(behind))
    if case == "refused":
        sink.script.add("STARTTLS", Act(b"454 4.7.0 TLS not available\r\n"))
    if case == "no tls behind 220":
        sink.script.add("STARTTLS", Act(b"220 go\r\n250 in clear\r\n235 ok\r\n250 ok\r\n" * 4))
    return sink


@pytest.fixture(scope="module")
def fort(besiege: Besiege, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fort]:
    home = tmp_path_factory.mktemp("certs")
    own, other = Authority(home / "own"), Authority(home / "other")
    with ExitStack() as endings:
        sinks = {}
        for case in CASES:
            sinks[case] = _upstream(case, own, other)
            endings.callback(sinks[case].end)
        listening = own.issue("relay")
        files = {"certificate": str(listening.certificate), "key": str(listening.key)}
        upstreams = {
            _name(case): {
                "url": f"smtp+starttls://127.0.0.1:{sink.port}",
                "username": "me",
                "password": USERS["me"],
                "ca_file": str(own.ca_file),
            }
            for case, sink in sinks.items()
        }
        routes = {
            f"{_name(case)}.example": {"routes": [{"upstream": _name(case), "policy": "ramp"}]}
            for case in CASES
        }
        besieged = besiege(
            listeners=[{"tls": "starttls", **files}, {"tls": "implicit", **files}],
            more={
                "upstreams": upstreams,
                "tenants": {"acme": {"networks": ["127.0.0.1/32"], "domains": routes}},
            },
        )
        yield Fort(besieged, sinks, str(own.ca_file))


def _name(case: str) -> str:
    return case.replace(" ", "-")


def _send(fort: Fort, case: str) -> int:
    sender = f"news@{_name(case)}.example"
    with fort.besieged.wire() as wire:
        return wire.send(sender, "v@receiver.example", mail(sender)).code


def test_an_upstream_that_proves_itself_gets_the_mail(fort: Fort) -> None:
    assert _send(fort, "right") == 250
    sink = fort.upstreams["right"].sink
    assert len(sink.messages) == 1
    assert sink.tls_versions == {"TLSv1.3"}


INJECTED = ("injected", "no tls behind 220")


@pytest.mark.parametrize("case", INJECTED)
def test_what_is_said_in_clear_behind_220_is_not_heard(fort: Fort, case: str) -> None:
    """SIZE 1 and the replies in advance were not taken for the upstream's own (RFC 3207 §5)."""
    assert _send(fort, case) == 250
    sink = fort.upstreams[case].sink
    assert sink.verbs(1)[:4] == ["EHLO", "STARTTLS", "EHLO", "AUTH"]
    assert sink.tls_versions == {"TLSv1.3"}
    assert [len(message.content) > 100 for message in sink.messages] == [True]


@pytest.mark.parametrize("case", [c for c in CASES if c != "right" and c not in INJECTED])
def test_any_other_gets_neither_mail_nor_password(fort: Fort, case: str) -> None:
    assert _send(fort, case) == 451
    sink = fort.upstreams[case].sink
    assert set(sink.verbs()) <= {"EHLO", "STARTTLS", "QUIT"}, sink.commands
    assert sink.messages == []
    assert USERS["me"] not in fort.besieged.log()


def trusting(fort: Fort) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=fort.ca_file)


@pytest.mark.parametrize(
    "behind",
    [
        b"NOOP injected\r\n",
        b"EHLO evil.example\r\nMAIL FROM:<x@right.example>\r\nRCPT TO:<v@y.example>\r\nDATA\r\n",
        b"x" * 5000 + b"\r\nMAIL FROM:<x@right.example>\r\n",
        b"MAIL FROM:<x@right.example>",
    ],
    ids=["NOOP", "a transaction", "a long line", "half a line"],
)
def test_what_is_pipelined_behind_starttls_is_never_obeyed(fort: Fort, behind: bytes) -> None:
    with Wire(fort.besieged.relay.port) as wire:
        wire.write(b"STARTTLS\r\n" + behind)
        assert wire.read().code == 220
        try:
            wire._socket = trusting(fort).wrap_socket(wire._socket, server_hostname="localhost")
        except (ssl.SSLError, ConnectionError):
            return  # it was taken for a handshake, and was none
        wire._buffer = b""
        # An answer to this very line: nothing else had been heard, the first EHLO included.
        assert wire.do("MAIL FROM:<x@right.example>").text.startswith("5.5.1 send HELO or EHLO")


def test_what_was_said_in_clear_is_forgotten(fort: Fort) -> None:
    with Wire(fort.besieged.relay.port) as wire:
        assert wire.do("MAIL FROM:<x@right.example>").code == 250
        assert wire.do("STARTTLS").code == 220
        wire._socket = trusting(fort).wrap_socket(wire._socket, server_hostname="localhost")
        assert wire.do("RCPT TO:<v@y.example>").code == 503


def test_a_password_in_clear_is_not_even_looked_at(fort: Fort) -> None:
    with Wire(fort.besieged.relay.port) as wire:
        assert "AUTH" not in wire.keywords
        assert wire.auth_plain("acme", "x").code == 538
        assert wire.do("AUTH LOGIN").code == 538


@pytest.mark.parametrize(
    "ciphers",
    ["aNULL:eNULL:@SECLEVEL=0", "RC4:3DES:DES:@SECLEVEL=0", "EXPORT:LOW:@SECLEVEL=0"],
)
def test_weak_ciphers_are_not_spoken(fort: Fort, ciphers: str) -> None:
    weak = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    weak.check_hostname, weak.verify_mode = False, ssl.CERT_NONE
    weak.maximum_version = ssl.TLSVersion.TLSv1_2
    try:
        weak.set_ciphers(ciphers)
    except ssl.SSLError:
        return  # not even the client's library has them any more
    with pytest.raises((ssl.SSLError, ConnectionError)):
        Wire(fort.besieged.relay.config.smtp_ports[1], tls=weak)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_versions_are_not_spoken(fort: Fort, version: ssl.TLSVersion) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.maximum_version = version
    with pytest.raises((ssl.SSLError, ConnectionError)):
        Wire(fort.besieged.relay.config.smtp_ports[1], tls=old)


def test_a_sender_of_no_upstream_is_still_refused(fort: Fort) -> None:
    with fort.besieged.wire() as wire:
        assert wire.do(f"MAIL FROM:<{SENDER}>").code == 550
