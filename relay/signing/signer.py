"""The signer: one DKIM-Signature field per configured key (implements `ports.Signer`).

Owns the DKIM-Signature field: its tags, its folding, and that it is hashed exactly as it is
sent. Relaxed/relaxed, no l= tag. What is hashed is in `choice.py` and `canonical.py`.
"""

from __future__ import annotations

import asyncio
from binascii import b2a_base64
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from relay.concurrency.beside import beside
from relay.core.mail.header import Field, parse_fields
from relay.core.mail.message import Classified
from relay.core.tenants.tenancy import DkimKey, SealedKey
from relay.ports import Clock
from relay.signing.batch import Batch
from relay.signing.canonical import body_hash, relaxed_fields, relaxed_value
from relay.signing.choice import chosen
from relay.signing.keys import BELIEVED_S, KeyRing, SigningKey
from relay.signing.sealed import SealedRing
from relay.signing.sealing import Vault

_LINE: Final = 76
_KNOWN_NAMES: Final = 128
"""A longer h= tag is not kept: a header may have 10,000 names."""
_EMPTY_LINE_BYTES: Final = 2


class DkimSigner:
    """Signs with the keys of a message's domain.

    `sealed` opens the keys of added domains; without it there are none. `batch` makes the
    signatures.

    Never signs with fewer keys than the config names: a key that cannot be used is KeyTrouble.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        keys: KeyRing | None = None,
        sealed: SealedRing | None = None,
        batch: Batch | None = None,
    ) -> None:
        self._clock = clock
        self._keys = keys or KeyRing(believed_s=BELIEVED_S)
        self._sealed = sealed or SealedRing(Vault(None, makes=False))
        self._batch = batch or Batch()

    async def sign(self, message: Classified, head: bytes, body: memoryview) -> bytes:
        """See `ports.Signer`. A cancelled call leaves nothing but a key read for the next."""
        if not message.domain.dkim:
            return b""
        name = message.domain.name
        keys = [(entry, await self._key(name, entry)) for entry in message.domain.dkim]
        tags, signed = await beside(len(head) + len(body), self._hashed, message, head, body)
        values = [(key, _value(name.encode("ascii"), entry, key, tags)) for entry, key in keys]
        return b"".join([await self._field(key, value, signed) for key, value in values])

    async def _key(self, domain: str, entry: DkimKey | SealedKey) -> SigningKey:
        if isinstance(entry, SealedKey):
            return self._sealed.key(domain, entry)
        held = self._keys.held(entry.path)
        if held:
            return held
        return await asyncio.to_thread(self._keys.load, entry.path)

    def _hashed(self, message: Classified, head: bytes, body: memoryview) -> tuple[bytes, bytes]:
        """The tags that the field of every key has, and the header fields that are signed."""
        names, fields = chosen(_fields_of(head, message))
        hashed = b2a_base64(body_hash(body[_EMPTY_LINE_BYTES:], message.body_sha256), newline=False)
        folded = _known_folded(names) if len(names) <= _KNOWN_NAMES else _folded_names(names)
        tags = b" %b;\r\n%b;\r\n bh=%b;\r\n b=" % (self._times(), folded, hashed)
        return tags, relaxed_fields(fields)

    async def _field(self, key: SigningKey, value: bytes, signed: bytes) -> bytes:
        """The whole field, whose `value` has an empty b= tag: so it signs itself (§3.7)."""
        itself = b"dkim-signature:" + relaxed_value(value)
        signature = b2a_base64(await self._batch.sign(key, signed + itself), newline=False)
        return b"DKIM-Signature:%b%b\r\n" % (value, _folded_base64(signature))

    def _times(self) -> bytes:
        return b"t=%d" % int(self._clock.now().timestamp())


def _fields_of(head: bytes, message: Classified) -> Sequence[Field]:
    """The fields of `head`; those at its end that are the client's own are known already.

    With the relay's own X-Warmup-* fields, which are never signed.
    """
    if not head.endswith(message.header):
        return parse_fields(head)
    added = head[: len(head) - len(message.header)]
    if added.startswith(b"Received:") and added.count(b"\r\n") == added.count(b"\r\n ") + 1:
        return message.fields  # that one field, which is never signed, and its folds
    return parse_fields(added) + message.fields


def _value(domain: bytes, entry: DkimKey | SealedKey, key: SigningKey, tags: bytes) -> bytes:
    """The field's value but for the signature; `tags` are those of every key."""
    return b" v=1; a=%b; c=relaxed/relaxed;\r\n d=%b;\r\n s=%b;%b" % (
        key.algorithm,
        domain,
        entry.selector.encode("ascii"),
        tags,
    )


def _folded_names(names: tuple[bytes, ...]) -> bytes:
    """The h= tag in lines of under 78 columns; white space may follow a colon (§3.5)."""
    lines, line = [], b" h="
    for name in names:
        if len(line) + len(name) >= _LINE:
            lines.append(line)
            line = b" "
        line += name + b":"
    lines.append(line)
    return b"\r\n".join(lines)[:-1]


_known_folded = lru_cache(maxsize=256)(_folded_names)
"""A sender's mails have the same fields, nearly always."""


def _folded_base64(signature: bytes) -> bytes:
    first = _LINE - len(b" b=")
    rest = range(first, len(signature), _LINE - 1)
    lines = [signature[:first], *[signature[at : at + _LINE - 1] for at in rest]]
    return b"\r\n ".join(lines)
