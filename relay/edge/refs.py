"""Reference ids and protocol names: the words by which a transaction is found again later."""

from __future__ import annotations

from datetime import datetime
from os import urandom
from typing import Final

_DIGITS: Final = "0123456789abcdefghijklmnopqrstuv"
_PAIRS: Final = [first + second for first in _DIGITS for second in _DIGITS]


def new_ref(now: datetime) -> str:
    """An id that is unique over all relays: 16 letters and digits, which sort by time.

    In base 32 (RFC 4648 §7, lower case): 40 bits of time and 40 at random.
    """
    time = int(now.timestamp() * 1000)
    chance = int.from_bytes(urandom(5))
    pairs = _PAIRS
    return (
        f"{pairs[time >> 30 & 0x3FF]}{pairs[time >> 20 & 0x3FF]}"
        f"{pairs[time >> 10 & 0x3FF]}{pairs[time & 0x3FF]}"
        f"{pairs[chance >> 30]}{pairs[chance >> 20 & 0x3FF]}"
        f"{pairs[chance >> 10 & 0x3FF]}{pairs[chance & 0x3FF]}"
    )


def protocol_name(*, extended: bool, tls: bool, auth: bool, utf8: bool) -> str:
    """The "with" keyword of a Received field (RFC 3848, RFC 6531 §4.3)."""
    if not extended:
        return "SMTP"
    return ("UTF8SMTP" if utf8 else "ESMTP") + ("S" if tls else "") + ("A" if auth else "")
