"""Messages through classification and signing, the signature checked by two verifiers."""

from __future__ import annotations

import asyncio
import re
import tempfile
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import dkim

from relay.core.errors import RelayError
from relay.core.mail.classify import classify
from relay.core.mail.message import Classified
from relay.core.tenants.tenancy import Directory, DkimKey, Tenant, directory_of
from relay.signing.generate import KeyKind, generate_key
from relay.signing.record import key_record
from relay.signing.signer import DkimSigner
from relay.transaction.preparing import Preparing
from tests.corpus import DOMAIN
from tests.corpus.submissions import sending_domain, submission
from tests.unit.signing.verifier import verifies

SEEDS = (
    f"From: a@{DOMAIN}\r\nSubject: x\r\n\r\nbody\r\n".encode(),
    f"From: a@{DOMAIN}\r\nSubject: x\r\n folded \r\n\t y\r\n\r\n  \r\n\r\nb \t c \r\n\r\n".encode(),
    f"From : a@{DOMAIN}\r\nX-Warmup-Class: marketing\r\n\r\n.\r\n..\r\n".encode(),
    f"From: a@{DOMAIN}\r\nDKIM-Signature: v=1; a=x; b=\r\nTo: a@b.example\r\nTo: c@d\r\n".encode(),
    f"From: a@{DOMAIN}\r\nMessage-ID: <1@x>\r\nDate: x\r\n\r\n\xff\0\x80".encode("latin-1"),
    b"\r\n\r\n",
)
DICTIONARY = (b"\r\n\r\n", b"\r\n ", b" \t", b"DKIM-Signature:", b"List-Unsubscribe:", b"From:")


class _Noon:
    def now(self) -> datetime:
        return datetime(2026, 3, 3, 12, tzinfo=UTC)


class _House:
    """One domain with an Ed25519 key, and the record that is published for it."""

    def __init__(self) -> None:
        self._home = tempfile.TemporaryDirectory()
        key = DkimKey("e1", Path(self._home.name) / "key.pem")
        generate_key(key.path, KeyKind.ED25519)
        self.record = key_record(DOMAIN, key.selector, key.path).value
        self.tenant = Tenant("acme", domains=(sending_domain(DOMAIN, dkim=(key,)),))
        self.directory: Directory = directory_of([self.tenant])
        self.preparing = Preparing("relay.example.net", _Noon(), DkimSigner(_Noon()))


@cache
def _house() -> _House:
    return _House()


def run(data: bytes) -> None:
    """Refused by a known error, or signed so that both verifiers agree; the body untouched."""
    for content in dict.fromkeys((data, _mended(data))):
        try:
            message = classify(submission(content, tenant=_house().tenant), _house().directory)
        except RelayError:
            continue
        _check(message, content)


def _mended(data: bytes) -> bytes:
    """`data` with whole line ends, and a From field, so that more of it comes to be signed."""
    text = re.sub(rb"\r\n|\r|\n", b"\r\n", data)
    return text if b"from" in text.lower() else f"From: a@{DOMAIN}\r\n".encode() + text


def _check(message: Classified, content: bytes) -> None:
    outgoing = asyncio.run(_house().preparing.signed(message))
    sent = outgoing.head + bytes(outgoing.body)
    assert content.endswith(bytes(outgoing.body))
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", outgoing.head)
    assert verifies(sent, 0, _house().record), sent
    if _dkimpy_can_read(sent):
        checked = dkim.DKIM(sent).verify(0, dnsfunc=lambda *_, **__: _house().record.encode())
        assert checked, sent


def _dkimpy_can_read(sent: bytes) -> bool:
    """Its parser knows no white space before a colon and no message without an empty line.

    Of a body without a last line end, which SMTP cannot carry, it makes one line too many; and
    it takes form feeds for white space, which RFC 6376 §2.8 does not.
    """
    header, end, body = sent.partition(b"\r\n\r\n")
    names = [line.partition(b":")[0] for line in re.split(rb"\r\n(?![ \t])", header)]
    is_plain = all(name == name.strip() and name.isascii() for name in names)
    is_whole = bool(end) and (not body or body.endswith(b"\r\n"))
    is_whole = is_whole and not re.search(rb"[\x0b\x0c]", header)
    return is_plain and is_whole and not re.search(rb"\r(?!\n)|(?<!\r)\n", body)
