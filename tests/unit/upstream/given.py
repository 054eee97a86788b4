"""Messages, configs and a counting observer for the tests of the upstream room."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from relay.core.config import Security, SmtpHost, SmtpUpstream
from relay.core.mail.message import Envelope, Outgoing, Recipient
from relay.core.reply import Reply
from relay.ports.upstream import Upstream
from relay.upstream.build import open_upstream

HEAD = b"From: a@news.example\r\nMessage-ID: <1@news.example>\r\nSubject: hi\r\n"


class Counting:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.replies: list[tuple[str, Reply]] = []

    def reply(self, upstream: str, answer: Reply) -> None:
        self.replies.append((upstream, answer))

    @property
    def codes(self) -> list[int]:
        return [answer.code for _, answer in self.replies]


def outgoing(
    *rcpts: str | Recipient,
    body: bytes = b"\r\nHello.\r\n",
    head: bytes = HEAD,
    mail_from: str = "bounce@news.example",
    needs_8bit: bool = False,
    needs_utf8: bool = False,
    declared: str | None = None,
    **envelope: object,
) -> Outgoing:
    """A message to `rcpts` (one, if none are named); `declared` is the BODY parameter."""
    to = tuple(Recipient(r) if isinstance(r, str) else r for r in rcpts or ("to@example.net",))
    return Outgoing(
        envelope=replace(Envelope(mail_from, to, body=declared), **envelope),
        head=head,
        body=memoryview(body),
        ref="REF123",
        needs_8bit=needs_8bit,
        needs_utf8=needs_utf8,
    )


def smtp_config(*ports: int, security: Security = Security.NONE, **limits: object) -> SmtpUpstream:
    """An upstream on loopback; several ports are several hosts, in order. Deadlines are loose: a test of one sets it."""
    host = limits.pop("host", "127.0.0.1")
    username, password = limits.pop("username", None), limits.pop("password", None)
    hosts = tuple(SmtpHost(host, port, security, username, password) for port in ports)
    short = {
        "connect_timeout_s": 5.0,
        "command_timeout_s": 5.0,
        "data_timeout_s": 5.0,
        "final_timeout_s": 5.0,
    }
    return SmtpUpstream("outbound", hosts, **(short | limits))


@asynccontextmanager
async def upstream(
    *ports: int, observer: Counting | None = None, **limits: object
) -> AsyncIterator[Upstream]:
    """An open SMTP upstream, closed at the end."""
    made = open_upstream(smtp_config(*ports, **limits), "relay.example", observer or Counting())
    try:
        yield made
    finally:
        await made.close()
