"""The commands of one mail transaction, and what speaks against sending them.

Addresses and parameters come from outside: whatever could add a command or a parameter of
its own is refused here, whoever checked it before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from relay.core.mail import Envelope, Outgoing, Recipient
from relay.core.reply import Reply
from relay.ports import Lacks, SaidNo
from relay.upstream.capabilities import Capabilities

# Quoted strings may hold anything printable; outside them nothing may end the path. Lone
# surrogates stand for bytes that were no UTF-8.
_ADDRESS: Final = re.compile(
    r'(?:"(?:[^"\\\x00-\x1f\x7f\ud800-\udfff]|\\[^\x00-\x1f\x7f\ud800-\udfff])*"|[^\x00-\x20<>"\x7f\ud800-\udfff])*'
)
_VALUE: Final = re.compile(r"[^\x00-\x20\x7f\ud800-\udfff]+")


@dataclass(frozen=True, slots=True)
class Command:
    """One command. `line` ends in CRLF; `recipient` is that of a RCPT."""

    verb: str
    line: bytes
    recipient: str | None = None

    def accepts(self, answer: Reply) -> bool:
        """Whether `answer` is the one hoped for."""
        return answer.code // 100 == (3 if self.verb == "DATA" else 2)


RSET: Final = Command("RSET", b"RSET\r\n")
DATA: Final = Command("DATA", b"DATA\r\n")

Groups = tuple[tuple[Command, ...], ...]
"""Commands that go out together; a group waits for the answers to the one before it."""


def transaction(message: Outgoing, offered: Capabilities) -> Groups | Lacks | SaidNo:
    """MAIL, RCPT and DATA for `message`, or why it cannot be handed to this upstream.

    With PIPELINING (RFC 2920) all of it is one group where there is one recipient. With
    several, DATA waits until every one was accepted: content sent after a refused RCPT
    would reach the others.
    """
    obstacle = obstacle_to(message, offered) or _malformed(message.envelope)
    if obstacle:
        return obstacle
    mail = _mail(message.envelope, _mail_params(message, offered))
    rcpts = tuple(_rcpt(recipient, offered) for recipient in message.envelope.recipients)
    if "PIPELINING" not in offered:
        return tuple((command,) for command in (mail, *rcpts, DATA))
    if len(rcpts) == 1:
        return ((mail, *rcpts, DATA),)
    return ((mail, *rcpts), (DATA,))


def opening(envelope: Envelope, offered: Capabilities) -> Command | Lacks | SaidNo:
    """MAIL for a message that is yet to come, or why it cannot be sent.

    What the content will need is not known: 8BITMIME is asked for unless the client said that
    it will not need it, SMTPUTF8 where the client spoke of it.
    """
    if not envelope.mail_from.isascii() and "SMTPUTF8" not in offered:
        return Lacks("SMTPUTF8")
    return _malformed_sender(envelope) or _mail(envelope, _early_params(envelope, offered))


def offering(recipient: Recipient, offered: Capabilities) -> Command | Lacks | SaidNo:
    """RCPT for `recipient`, or why it cannot be sent."""
    if not recipient.address.isascii() and "SMTPUTF8" not in offered:
        return Lacks("SMTPUTF8")
    return _malformed_recipient(recipient) or _rcpt(recipient, offered)


def obstacle_to(message: Outgoing, offered: Capabilities) -> Lacks | SaidNo | None:
    """Why `message`, whoever it is for, cannot be handed to this upstream; None if it can."""
    return _lacking(message, offered) or _too_big(message, offered)


def _lacking(message: Outgoing, offered: Capabilities) -> Lacks | None:
    if _needs_utf8(message) and "SMTPUTF8" not in offered:
        return Lacks("SMTPUTF8")
    declared = message.envelope.body == "8BITMIME"
    if message.needs_8bit and declared and "8BITMIME" not in offered:
        return Lacks("8BITMIME")
    return None


def _needs_utf8(message: Outgoing) -> bool:
    envelope = message.envelope
    addresses = [envelope.mail_from, *[rcpt.address for rcpt in envelope.recipients]]
    return message.needs_utf8 or not "".join(addresses).isascii()


def _too_big(message: Outgoing, offered: Capabilities) -> SaidNo | None:
    limit = offered.size_limit_bytes
    if limit is None or message.size_bytes <= limit:
        return None
    text = f"message of {message.size_bytes} bytes exceeds the next hop's limit of {limit}"
    return SaidNo(Reply(552, "3.4", text))


def _malformed(envelope: Envelope) -> SaidNo | None:
    wrong = _malformed_sender(envelope)
    for recipient in envelope.recipients:
        wrong = wrong or _malformed_recipient(recipient)
    return wrong


def _malformed_sender(envelope: Envelope) -> SaidNo | None:
    if not _ADDRESS.fullmatch(envelope.mail_from):
        return SaidNo(Reply(501, "1.7", "sender address cannot be passed on"))
    if not _is_value(envelope.ret) or not _is_value(envelope.envid):
        return SaidNo(Reply(501, "5.4", "RET or ENVID cannot be passed on"))
    return None


def _malformed_recipient(recipient: Recipient) -> SaidNo | None:
    if recipient.address and _ADDRESS.fullmatch(recipient.address):
        if _is_value(recipient.notify) and _is_value(recipient.orcpt):
            return None
        return SaidNo(Reply(501, "5.4", "NOTIFY or ORCPT cannot be passed on"))
    return SaidNo(Reply(501, "1.3", "recipient address cannot be passed on"))


def _is_value(text: str | None) -> bool:
    return text is None or _VALUE.fullmatch(text) is not None


def _mail(envelope: Envelope, params: Iterator[str]) -> Command:
    words = [f"MAIL FROM:<{envelope.mail_from}>", *params]
    return Command("MAIL", " ".join(words).encode() + b"\r\n")


def _mail_params(message: Outgoing, offered: Capabilities) -> Iterator[str]:
    if "SIZE" in offered:
        yield f"SIZE={message.size_bytes}"
    if message.needs_8bit and "8BITMIME" in offered:
        yield "BODY=8BITMIME"
    if _needs_utf8(message):
        yield "SMTPUTF8"
    if "DSN" in offered:
        yield from _given(RET=message.envelope.ret, ENVID=message.envelope.envid)


def _early_params(envelope: Envelope, offered: Capabilities) -> Iterator[str]:
    if envelope.body != "7BIT" and "8BITMIME" in offered:
        yield "BODY=8BITMIME"
    if (envelope.smtputf8 or not envelope.mail_from.isascii()) and "SMTPUTF8" in offered:
        yield "SMTPUTF8"
    if "DSN" in offered:
        yield from _given(RET=envelope.ret, ENVID=envelope.envid)


def _rcpt(recipient: Recipient, offered: Capabilities) -> Command:
    words = [f"RCPT TO:<{recipient.address}>"]
    if "DSN" in offered:
        words += _given(NOTIFY=recipient.notify, ORCPT=recipient.orcpt)
    return Command("RCPT", " ".join(words).encode() + b"\r\n", recipient.address)


def _given(**params: str | None) -> Iterator[str]:
    """RFC 3461 parameters, as far as the client gave them."""
    return (f"{name}={value}" for name, value in params.items() if value)
