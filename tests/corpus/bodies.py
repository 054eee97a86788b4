"""Bodies that canonicalisation, dot-stuffing or a buffer could get wrong."""

from __future__ import annotations

from tests.corpus.parts import PLAIN_BODY, with_body

_CHUNK = 65_536


def bodies(domain: str) -> dict[str, bytes]:
    """Name → message."""
    return {name: with_body(domain, body) for name, body in {**_small(), **_large()}.items()}


def _small() -> dict[str, bytes]:
    return {
        "a body of one line end": b"\r\n",
        "a body of one space": b" \r\n",
        "many trailing empty lines": PLAIN_BODY + b"\r\n" * 50,
        "trailing lines of white space": PLAIN_BODY + b" \r\n\t\r\n \t \r\n",
        "white space at line ends": b"a \r\nb\t\r\nc \t \r\n \td\r\n",
        "tabs and runs of spaces": b"a\tb\t\tc  d   e \t f\r\n\tindented\r\n    code\r\n",
        "leading empty lines": b"\r\n\r\n\r\n" + PLAIN_BODY,
        "empty lines in the middle": b"a\r\n\r\n\r\n \r\n\r\nb\r\n",
        "no final line end": b"the last line is open",
        "lines of dots": b".\r\n..\r\n...\r\n. \r\n.a\r\n",
        "NUL bytes": b"a\0b\r\n\0\r\n\0\0 \0\r\n",
        "every byte but CR and LF": bytes(b for b in range(256) if b not in b"\r\n") + b"\r\n",
        "8-bit text": "Grüße aus Köln, ✓\r\n".encode() + b"caf\xe9\r\n",
        "lines that look like a header": b"From: x@evil.example\r\nDKIM-Signature: v=1\r\n\r\nx\r\n",
        "an mbox line": b"From someone Tue Mar  3 08:00:00 2026\r\n>From other\r\n",
        "lines that look like SMTP": b"QUIT\r\nRSET\r\nMAIL FROM:<a@b>\r\n250 OK\r\n",
        "form feeds and vertical tabs": b"a\x0c\r\n\x0b \r\n\x0c",
    }


def _large() -> dict[str, bytes]:
    return {
        "a line of 100 kB": b"x" * 100_000 + b"\r\n",
        "lines of 998, 999 and 1000": b"".join(b"y" * n + b"\r\n" for n in (998, 999, 1000)),
        "a line of spaces over a chunk": b"a" + b" " * (2 * _CHUNK) + b"b\r\n",
        "empty lines over a chunk": b"a\r\n" + b"\r\n" * _CHUNK + b"b\r\n",
        "trailing empty lines over a chunk": b"a\r\n" + b"\r\n" * _CHUNK,
        "a line end across two chunks": b"z" * (_CHUNK - 1) + b"\r\nb\r\n",
        "white space across two chunks": b"z" * (_CHUNK - 1) + b" \t \r\n b\r\n",
        "half a megabyte of text": b"All work and no play  makes Jack a dull boy.\r\n" * 11_000,
    }
