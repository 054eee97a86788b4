"""The header fields that the relay adds, all of them in front of the client's own (rule 7).

Owns the Received field (RFC 5321 §4.4) and the fix-ups of RFC 6409 §8.2 and §8.3: Date and
Message-ID where the message has no such field. A field that is there, however odd, stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Final

from relay.core.mail.message import Classified, Envelope, Submission

_LINE_CHARACTERS: Final = 77
_WORD_CHARACTERS: Final = 70
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9.:_\[\]-]")
_PLAIN_ADDRESS: Final = re.compile(r"[!#-'*+\-/-9=?A-Z^-~]+@[A-Za-z0-9.-]+")


def prepared(classified: Classified, hostname: str, now: datetime) -> bytes:
    """The header section as it is signed and sent: the relay's fields, then the client's.

    Each field ends in CRLF; the empty line is not part of it. `now` is aware.
    """
    date = _date(int(now.timestamp()))
    added = [_received(classified.submission, hostname, date)]
    names = [field.name for field in classified.fields]
    if b"date" not in names:
        added.append(f"Date: {date}\r\n")
    if b"message-id" not in names:
        added.append(f"Message-ID: <{classified.submission.ref}@{hostname}>\r\n")
    return "".join(added).encode("ascii", "replace") + classified.header


@lru_cache(maxsize=2)
def _date(second: int) -> str:
    """The date-time of RFC 5322 §3.3, of a second of the Unix epoch."""
    return format_datetime(datetime.fromtimestamp(second, UTC))


def _received(submission: Submission, hostname: str, date: str) -> str:
    client = submission.client
    whole, last = _beginning(client.helo, client.address, hostname, client.protocol)
    rest = f"id {submission.ref}{_sole_recipient(submission.envelope)}; {date}"
    fits = len(last) + 1 + len(rest) <= _LINE_CHARACTERS  # nearly always
    lines = [f"{last} {rest}"] if fits else _folded(rest.split(" "), last)
    return "\r\n".join([*whole, *lines, ""])


@lru_cache(maxsize=1024)
def _beginning(helo: str, address: str, hostname: str, protocol: str) -> tuple[list[str], str]:
    """The lines of the field, the last of them begun, up to the "with" clause."""
    words = ["Received:", "from", _safe(helo), *_origin(address), "by", hostname, "with", protocol]
    *whole, last = _folded(words, "")
    return whole, last


def _safe(helo: str) -> str:
    # What a client calls itself is its own invention: it must not be able to end the field,
    # open a comment or say "by". "?" marks what was taken out.
    return _UNSAFE.sub("?", helo)[:_WORD_CHARACTERS] or "unknown"


def _origin(client: str) -> tuple[str, ...]:
    """TCP-info: `([192.0.2.1])` or `([IPv6:2001:db8::1])`, nothing where it is no IP address."""
    try:
        address = ip_address(client.partition("%")[0])
    except ValueError:
        return ()
    if isinstance(address, IPv6Address):
        mapped = address.ipv4_mapped
        return (f"([{mapped}])",) if mapped else (f"([IPv6:{address}])",)
    return (f"([{address}])",)


def _sole_recipient(envelope: Envelope) -> str:
    """The For clause. With several recipients it would tell each of the others."""
    if len(envelope.recipients) != 1:
        return ""
    address = envelope.recipients[0].address
    if len(address) > _WORD_CHARACTERS or not _PLAIN_ADDRESS.fullmatch(address):
        return ""
    return f" for <{address}>"


def _folded(words: Iterable[str], line: str) -> list[str]:
    """`line` and then `words`, in lines of under 78 characters where they allow it.

    RFC 5322 §2.1.1.
    """
    lines = []
    for word in words:
        longer = f"{line} {word}" if line else word
        if len(longer) > _LINE_CHARACTERS and line.strip():
            lines.append(line)
            longer = f" {word}"
        line = longer
    return [*lines, line]
