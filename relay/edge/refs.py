"""Reference ids and protocol names: the words by which a transaction is found again later."""

from __future__ import annotations

from base64 import b32hexencode
from datetime import datetime
from secrets import token_bytes


def new_ref(now: datetime) -> str:
    """An id that is unique over all relays: 16 letters and digits, which sort by time."""
    milliseconds = int(now.timestamp() * 1000) & 0xFF_FFFF_FFFF
    return b32hexencode(milliseconds.to_bytes(5, "big") + token_bytes(5)).decode().lower()


def protocol_name(*, extended: bool, tls: bool, auth: bool, utf8: bool) -> str:
    """The "with" keyword of a Received field (RFC 3848, RFC 6531 §4.3)."""
    if not extended:
        return "SMTP"
    return ("UTF8SMTP" if utf8 else "ESMTP") + ("S" if tls else "") + ("A" if auth else "")
