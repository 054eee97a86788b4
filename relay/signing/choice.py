"""Which header fields a signature covers (RFC 6376 §5.4.1 and §8.15).

Owns the two lists and their order. Fields that relays and mailboxes add or change on the way
(Received, Return-Path, Bcc, Authentication-Results, DKIM-Signature, ARC-*) are never signed.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from relay.core.mail.header import Field

OVERSIGNED: Final = (
    b"from",
    b"to",
    b"cc",
    b"subject",
    b"date",
    b"reply-to",
    b"message-id",
    b"mime-version",
    b"content-type",
    b"list-unsubscribe",
    b"list-unsubscribe-post",
)
"""Named once more than they are present: none can be added without breaking the signature.

List-Unsubscribe and List-Unsubscribe-Post must be signed by RFC 8058 §4.
"""

SIGNED_WHERE_PRESENT: Final = (
    b"sender",
    b"in-reply-to",
    b"references",
    b"content-transfer-encoding",
    b"content-id",
    b"content-description",
    b"content-disposition",
    b"resent-date",
    b"resent-from",
    b"resent-sender",
    b"resent-to",
    b"resent-cc",
    b"resent-message-id",
    b"list-id",
    b"list-help",
    b"list-subscribe",
    b"list-post",
    b"list-owner",
    b"list-archive",
    b"feedback-id",
    b"cfbl-address",
    b"cfbl-feedback-id",
)
"""Signed as often as they are present. A later mailing list or resender may add its own.

Feedback-ID counts at Gmail only when signed; CFBL-* must be signed by RFC 9477 §3.1.
"""

_KNOWN_FIELDS: Final = 64
_KNOWN_BYTES: Final = 16_384
"""The names of a longer header section are not kept: they may be as long as it is."""
_PLACES: Final = {name: at for at, name in enumerate(OVERSIGNED + SIGNED_WHERE_PRESENT)}
"""Where each name stands in the h= tag."""


def chosen(fields: Sequence[Field]) -> tuple[tuple[bytes, ...], list[Field]]:
    """The names of the h= tag, in order, and the fields that they stand for, in that order.

    Several fields of one name are taken from the last to the first (RFC 6376 §5.4.2).
    """
    present = tuple([field.name for field in fields])
    is_usual = 0 < len(present) <= _KNOWN_FIELDS and fields[-1].end <= _KNOWN_BYTES
    names, at = _known_order(present) if is_usual else _order(present)
    return names, [fields[each] for each in at]


def _order(present: tuple[bytes, ...]) -> tuple[tuple[bytes, ...], list[int]]:
    """The names of the h= tag, and where the fields stand, where `present` are there in order."""
    at = [number for number, name in enumerate(present) if name in _PLACES]
    at.reverse()
    at.sort(
        key=lambda number: _PLACES[present[number]]
    )  # which leaves those of one name as they are
    names = [present[number] for number in at]
    names += OVERSIGNED
    names.sort(key=_PLACES.__getitem__)
    return tuple(names), at


_known_order = lru_cache(maxsize=256)(_order)
"""A sender's mails have the same fields, nearly always."""
