"""The commands of one mail transaction, and what speaks against sending them.

Addresses and parameters come from outside: whatever could add a command or a parameter of
its own is refused here, whoever checked it before.
"""

from __future__ import annotations

import re
from operator import attrgetter
from typing import Final

from relay.core.mail.message import Envelope, Outgoing, Recipient
from relay.core.reply import Reply
from relay.core.values import value
from relay.ports.upstream import Lacks, SaidNo
from relay.upstream.capabilities import Capabilities

# Quoted strings may hold anything printable; outside them nothing may end the path. Lone
# surrogates stand for bytes that were no UTF-8.
_ADDRESS: Final = re.compile(
    r'(?:"(?:[^"\\\x00-\x1f\x7f\ud800-\udfff]|\\[^\x00-\x1f\x7f\ud800-\udfff])*"|[^\x00-\x20<>"\x7f\ud800-\udfff])*'
)
_ADDRESS_OF: Final = attrgetter("address")
_NOT_ASCII: Final = re.compile(r"[^\x00-\x7f]")
_MAX_ORCPT: Final = 500  # RFC 3461 §4.2
_VALUE: Final = re.compile(r"[^\x00-\x20\x7f\ud800-\udfff]+")


@value(frozen=True, slots=True)
class Command:
    """One command. `line` ends in CRLF; `recipient` is that of a RCPT.

    `hoped` is the first digit of the answer that means success.
    """

    verb: str
    line: bytes
    recipient: str | None = None
    hoped: int = 2


RSET: Final = Command("RSET", b"RSET\r\n")
DATA: Final = Command("DATA", b"DATA\r\n", hoped=3)

Groups = tuple[tuple[Command, ...], ...]
"""Commands that go out together; a group waits for the answers to the one before it."""


def transaction(message: Outgoing, offered: Capabilities) -> Groups | Lacks | SaidNo:
    """MAIL, RCPT and DATA for `message`, or why it cannot be handed to this upstream.

    With PIPELINING (RFC 2920) all of it is one group where there is one recipient. With
    several, DATA waits until every one was accepted: content sent after a refused RCPT
    would reach the others.
    """
    envelope, keywords = message.envelope, offered.keywords
    needs_utf8 = _needs_utf8(message)
    obstacle = _obstacle(message, offered, needs_utf8=needs_utf8) or _malformed(envelope)
    if obstacle:
        return obstacle
    mail = _mail(message, keywords, needs_utf8=needs_utf8)
    rcpts = [_rcpt(recipient, offered) for recipient in envelope.recipients]
    if "PIPELINING" not in keywords:
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
    return _malformed_sender(envelope) or _early_mail(envelope, offered)


def offering(recipient: Recipient, offered: Capabilities) -> Command | Lacks | SaidNo:
    """RCPT for `recipient`, or why it cannot be sent."""
    if not recipient.address.isascii() and "SMTPUTF8" not in offered:
        return Lacks("SMTPUTF8")
    return _malformed_recipient(recipient) or _rcpt(recipient, offered)


def obstacle_to(message: Outgoing, offered: Capabilities) -> Lacks | None:
    """Why `message`, whoever it is for, cannot be handed to this upstream; None if it can."""
    return _obstacle(message, offered, needs_utf8=_needs_utf8(message))


def _obstacle(message: Outgoing, offered: Capabilities, *, needs_utf8: bool) -> Lacks | None:
    if needs_utf8 and "SMTPUTF8" not in offered.keywords:
        return Lacks("SMTPUTF8")
    declared = message.envelope.body == "8BITMIME"
    if message.needs_8bit and declared and "8BITMIME" not in offered.keywords:
        return Lacks("8BITMIME")
    limit = offered.size_limit_bytes
    if limit is None or message.size_bytes <= limit:
        return None
    why = f"message of {message.size_bytes} bytes exceeds the next hop's limit of {limit}"
    return Lacks("SIZE", why)


def _needs_utf8(message: Outgoing) -> bool:
    envelope = message.envelope
    addresses = "".join((envelope.mail_from, *map(_ADDRESS_OF, envelope.recipients)))
    return message.needs_utf8 or not addresses.isascii()


def _malformed(envelope: Envelope) -> SaidNo | None:
    wrong = _malformed_sender(envelope)
    for recipient in envelope.recipients:
        wrong = wrong or _malformed_recipient(recipient)
    return wrong


def _malformed_sender(envelope: Envelope) -> SaidNo | None:
    if not _ADDRESS.fullmatch(envelope.mail_from):
        return SaidNo(Reply(501, "1.7", "sender address cannot be passed on"))
    if not _are_values(envelope.ret, envelope.envid):
        return SaidNo(Reply(501, "5.4", "RET or ENVID cannot be passed on"))
    return None


def _malformed_recipient(recipient: Recipient) -> SaidNo | None:
    if recipient.address and _ADDRESS.fullmatch(recipient.address):
        if _are_values(recipient.notify, recipient.orcpt):
            return None
        return SaidNo(Reply(501, "5.4", "NOTIFY or ORCPT cannot be passed on"))
    return SaidNo(Reply(501, "1.3", "recipient address cannot be passed on"))


def _are_values(one: str | None, other: str | None) -> bool:
    is_one = one is None or _VALUE.fullmatch(one) is not None
    return is_one and (other is None or _VALUE.fullmatch(other) is not None)


def _mail(message: Outgoing, keywords: frozenset[str], *, needs_utf8: bool) -> Command:
    envelope = message.envelope
    line = f"MAIL FROM:<{envelope.mail_from}>"
    if "SIZE" in keywords:
        line += f" SIZE={message.size_bytes}"
    if message.needs_8bit and "8BITMIME" in keywords:
        line += " BODY=8BITMIME"
    if needs_utf8:
        line += " SMTPUTF8"
    if "DSN" in keywords:
        line += _given("RET", envelope.ret) + _given("ENVID", envelope.envid)
    return Command("MAIL", line.encode() + b"\r\n")


def _early_mail(envelope: Envelope, offered: Capabilities) -> Command:
    line = f"MAIL FROM:<{envelope.mail_from}>"
    if envelope.body != "7BIT" and "8BITMIME" in offered:
        line += " BODY=8BITMIME"
    if (envelope.smtputf8 or not envelope.mail_from.isascii()) and "SMTPUTF8" in offered:
        line += " SMTPUTF8"
    if "DSN" in offered:
        line += _given("RET", envelope.ret) + _given("ENVID", envelope.envid)
    return Command("MAIL", line.encode() + b"\r\n")


def _rcpt(recipient: Recipient, offered: Capabilities) -> Command:
    line = f"RCPT TO:<{recipient.address}>"
    if "DSN" in offered.keywords:
        line += _given("NOTIFY", recipient.notify) + _given("ORCPT", _orcpt(recipient))
    return Command("RCPT", line.encode() + b"\r\n", recipient.address)


def _orcpt(recipient: Recipient) -> str | None:
    r"""UTF-8 as it stands goes with an address that is UTF-8; else it is `\x{FC}` (RFC 6533 §3).

    None where that is longer than upstreams take: the mail goes without it.
    """
    text = recipient.orcpt
    if text is None or text.isascii() or not recipient.address.isascii():
        return text
    escaped = _NOT_ASCII.sub(lambda found: f"\\x{{{ord(found[0]):X}}}", text)
    return escaped if len(escaped) <= _MAX_ORCPT else None


def _given(name: str, value: str | None) -> str:
    """An RFC 3461 parameter, where the client gave it."""
    return f" {name}={value}" if value else ""
