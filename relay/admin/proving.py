"""Whether the signatures of a test message stand: the pages' proof that DKIM works.

Wraps `ports.Signer` and keeps what it signed for whoever watches, in a context variable that
the work started inside of it inherits. Verifies with dkimpy, which shares no code with the
signer, against the public half of the keys in the config; what is published in the DNS is for
`warmup-relay check`. Only the Ed25519 arithmetic is `signing/proof.py`: dkimpy has none without
PyNaCl, which the relay does not need.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

import dkim
from dkim.util import parse_tag_value

from relay.core.mail.message import Classified
from relay.core.tenants.tenancy import SendingDomain
from relay.ports import Signer
from relay.ports.pages import Tray, Verified
from relay.signing.proof import Ed25519Proof
from relay.signing.record import record_of

_tray: Final[ContextVar[Tray | None]] = ContextVar("tray", default=None)


class WatchedSigner:
    """Implements `ports.Signer`."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer

    async def sign(self, message: Classified, head: bytes, body: memoryview) -> bytes:
        """See `ports.Signer`."""
        signatures = await self._signer.sign(message, head, body)
        if (tray := _tray.get()) is not None:
            tray.content = b"".join((signatures, head, body))
        return signatures


class DkimProving:
    """Implements `ports.pages.Proving`."""

    @contextmanager
    def watching(self) -> Iterator[Tray]:
        """See `ports.pages.Proving`."""
        tray = Tray()
        token = _tray.set(tray)
        try:
            yield tray
        finally:
            _tray.reset(token)

    async def verify(self, tray: Tray, domain: SendingDomain) -> tuple[Verified, ...]:
        """See `ports.pages.Proving`."""
        return await asyncio.to_thread(_verified, tray.content, domain)


def _verified(content: bytes, domain: SendingDomain) -> tuple[Verified, ...]:
    """One finding for each key: our signatures stand in the order of the keys, on top."""
    found = []
    for place, key in enumerate(domain.dkim):
        try:
            record = record_of(domain.name, key)
            is_good = _Verifier(content).verify(idx=place, dnsfunc=_answering(record.value))
            told = "valid" if is_good else "does not stand"
        except Exception as error:  # noqa: BLE001 - of the key, or of any depth of the library
            is_good, told = False, f"cannot be verified: {error}"
        found.append(Verified(key.selector, bool(is_good), told))
    return tuple(found)


class _Verifier(dkim.DKIM):  # type: ignore[misc]  # the library has no types
    def verify_sig(
        self, sig: Any, include_headers: Any, sig_header: Any, dnsfunc: Callable[..., bytes]
    ) -> bool:
        """As dkimpy's own, but for where an Ed25519 key comes from."""
        tags = parse_tag_value(dnsfunc(None))
        if tags[b"k"] != b"ed25519":
            return bool(super().verify_sig(sig, include_headers, sig_header, dnsfunc))
        proof = Ed25519Proof(tags[b"p"].decode("ascii"))
        self.pk, self.keysize, self.ktag, self.seqtlsrpt = (
            proof, proof.keysize_bits, b"ed25519", False,
        )  # fmt: skip
        # Its answer is True whenever the proof has been asked: the proof knows better.
        return self.verify_sig_process(sig, include_headers, sig_header, dnsfunc) and proof.is_good


def _answering(value: str) -> Callable[..., bytes]:
    def txt(_name: object, timeout: float = 5) -> bytes:  # noqa: ARG001 - dkimpy's own words
        return value.encode()

    return txt
