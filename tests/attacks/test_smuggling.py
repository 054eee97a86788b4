"""SMTP smuggling (2023): through the relay, one message stays one, whoever is behind it.

Every published spelling of the end of data, each followed by a whole second transaction, is
handed to a relay whose upstream is Postfix, Exim or aiosmtpd.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from tests.attacks.conftest import SENDER, Besiege, Besieged
from tests.harness.exim import Exim
from tests.harness.ports import free_port, is_listening
from tests.harness.postfix import Postfix
from tests.harness.processes import Child
from tests.harness.waiting import until
from tests.harness.wire import Wire

ENDS = (
    b"\n.\n", b"\n.\r\n", b"\n.\r", b"\r.\r\n", b"\r.\r", b"\r.\n", b"\r\n.\n", b"\r\n.\r",
    b"\r\r\n.\r\r\n", b"\r\n.\r\r\n", b"\n\n.\r\n", b"\r\n\n.\n", b"\r\n.\0\r\n", b"\r\n\0.\r\n",
    b"\r\0\n.\r\n", b"\r\n.\r\0\n", b"\0\n.\n", b"\r\n. \r\n", b"\r\n.\t\r\n", b"\r\n\x1a\r\n",
    b"\r\n..\r\n", "\u2028.\u2028".encode(), b"\x85.\x85", b"\x0b.\x0b", b"\x0c.\x0c",
)  # fmt: skip
SMUGGLED = "smuggled@news.acme.example"
SECOND = (
    f"MAIL FROM:<{SMUGGLED}>\r\nRCPT TO:<victim@receiver.example>\r\nDATA\r\n"
    f"From: {SMUGGLED}\r\nSubject: two\r\n\r\nz\r\n.\r\n"
).encode()


@dataclass
class Inbox:
    """aiosmtpd's handler: every envelope that it took."""

    senders: list[str] = field(default_factory=list)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        self.senders.append(envelope.mail_from)
        return "250 2.0.0 Ok"


@dataclass(slots=True)
class Backend:
    """An upstream, and what it has taken: one sender for each message."""

    port: int
    senders: Any


def _postfix(endings: ExitStack) -> Backend:
    postfix = Postfix(free_port(), holding=True)
    endings.callback(postfix.stop)
    postfix.start()
    return Backend(postfix.port, lambda: [str(entry["sender"]) for entry in postfix.queue()])


def _exim(endings: ExitStack) -> Backend:
    exim, port = Exim(free_port()), free_port()
    endings.callback(exim.end)
    config = exim.home / "exim.conf"
    own = "acl_smtp_rcpt = accept\nacl_smtp_data = accept\nqueue_only\n"
    config.write_text(config.read_text().replace("\nbegin routers", f"{own}\nbegin routers"))
    [wrapper] = (exim.home / "exim").glob("usr/lib/*/libnss_wrapper.so")
    daemon = Child(
        [exim._program, "-C", config, "-bdf", "-oX", f"127.0.0.1.{port}"],
        exim.home / "daemon.log",
        env={
            "LD_PRELOAD": str(wrapper),
            "NSS_WRAPPER_PASSWD": str(exim.home / "passwd"),
            "NSS_WRAPPER_GROUP": str(exim.home / "group"),
        },
    )
    endings.callback(daemon.end)
    until(lambda: is_listening(port), "Exim to listen", detail=daemon.tail)
    return Backend(port, lambda: _exim_senders(exim))


def _exim_senders(exim: Exim) -> list[str]:
    """Its queue names each message in a line of its own, the sender in <>."""
    lines = [line.split() for line in exim._run("-bp").splitlines()]
    return [line[3].strip("<>") for line in lines if len(line) > 3]


def _aiosmtpd(endings: ExitStack) -> Backend:
    inbox = Inbox()
    controller = Controller(inbox, hostname="127.0.0.1", port=free_port())
    endings.callback(controller.stop)
    controller.start()
    return Backend(controller.port, lambda: list(inbox.senders))


BACKENDS = {"postfix": _postfix, "exim": _exim, "aiosmtpd": _aiosmtpd}


@pytest.fixture(scope="module")
def besieged(besiege: Besiege) -> Iterator[tuple[Besieged, dict[str, Backend]]]:
    """One relay; each backend is the upstream of a domain of its own."""
    with ExitStack() as endings:
        backends = {name: make(endings) for name, make in BACKENDS.items()}
        upstreams = {name: {"url": f"smtp://127.0.0.1:{b.port}"} for name, b in backends.items()}
        started = besiege(
            domains={},
            more={"upstreams": upstreams, "tenants": {"acme": _tenant(backends)}},
        )
        yield started, backends


def _tenant(backends: dict[str, Backend]) -> dict[str, Any]:
    return {
        "networks": ["127.0.0.1/32"],
        "domains": {
            f"{name}.example": {"routes": [{"upstream": name, "policy": "ramp"}]}
            for name in backends
        },
    }


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", ["postfix", "exim", "aiosmtpd"])
def test_no_spelling_of_the_end_makes_two_messages_of_one(
    besieged: tuple[Besieged, dict[str, Backend]], name: str
) -> None:
    relay, backend = besieged[0].relay, besieged[1][name]
    sender = SENDER.replace("news.acme.example", f"{name}.example")
    second = SECOND.replace(SMUGGLED.encode(), sender.replace("news", "smuggled").encode())
    accepted = 0
    for end in ENDS:
        reply = _one(relay.port, sender, end + second)
        is_bare = end.replace(b"\r\n", b"").translate(None, b"\r\n") != end.replace(b"\r\n", b"")
        assert reply.code == (550 if is_bare else 250), (end, reply)
        accepted += reply.code == 250
    assert accepted >= 8
    senders = backend.senders()
    assert senders == [sender] * accepted


def _one(port: int, sender: str, rest: bytes) -> Any:
    with Wire(port) as wire:
        assert wire.envelope(sender, "v@receiver.example").code == 250
        assert wire.do("DATA").code == 354
        wire.write(f"From: {sender}\r\nSubject: one\r\n\r\na".encode() + rest)
        reply = wire.read()
        assert wire.do("NOOP").code == 250
        return reply
