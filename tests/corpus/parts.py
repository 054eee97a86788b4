"""What every message of the corpus is made of."""

from __future__ import annotations

PLAIN_BODY = b"Hello,\r\n\r\nthis is the news.\r\n"


def ordinary(domain: str) -> bytes:
    """An ordinary header section, without the empty line."""
    return (
        b"From: Acme News <news@%b>\r\n"
        b"To: Jo <jo@receiver.example>\r\n"
        b"Subject: What is new\r\n"
        b"Date: Tue, 03 Mar 2026 08:00:00 +0000\r\n"
        b"Message-ID: <1234.5678@%b>\r\n"
    ) % (domain.encode(), domain.encode())


def with_fields(domain: str, *fields: bytes) -> bytes:
    """An ordinary message with `fields` after its own; each without its final CRLF."""
    more = b"".join(field + b"\r\n" for field in fields)
    return ordinary(domain) + more + b"\r\n" + PLAIN_BODY


def with_body(domain: str, body: bytes, *fields: bytes) -> bytes:
    """An ordinary message with another body."""
    more = b"".join(field + b"\r\n" for field in fields)
    return ordinary(domain) + more + b"\r\n" + body


def with_from(value: bytes) -> bytes:
    """A message whose From field is `value`, spaces and folds included."""
    return (
        b"Received: by laptop; Tue, 03 Mar 2026 08:00:00 +0000\r\n"
        b"From:" + value + b"\r\n"
        b"To: jo@receiver.example\r\n"
        b"Subject: Whom it is from\r\n"
        b"\r\n" + PLAIN_BODY
    )
