"""Whether the signatures of a test message stand: the pages' proof that DKIM works.

Wraps `ports.Signer` and keeps what it signed for whoever watches, in a context variable that
the work started inside of it inherits. Verifies with dkimpy, which shares no code with the
signer, against the public half of the keys in the config; what is published in the DNS is for
`warmup-relay check`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

import dkim

from relay.core.mail import Classified
from relay.core.tenancy import SendingDomain
from relay.ports import Signer
from relay.ports_pages import Tray, Verified
from relay.signing.record import key_record

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
    """Implements `ports_pages.Proving`."""

    @contextmanager
    def watching(self) -> Iterator[Tray]:
        """See `ports_pages.Proving`."""
        tray = Tray()
        token = _tray.set(tray)
        try:
            yield tray
        finally:
            _tray.reset(token)

    async def verify(self, tray: Tray, domain: SendingDomain) -> tuple[Verified, ...]:
        """See `ports_pages.Proving`."""
        return await asyncio.to_thread(_verified, tray.content, domain)


def _verified(content: bytes, domain: SendingDomain) -> tuple[Verified, ...]:
    """One finding for each key: our signatures stand in the order of the keys, on top."""
    found = []
    for place, key in enumerate(domain.dkim):
        try:
            record = key_record(domain.name, key.selector, key.path)
            is_good = dkim.DKIM(content).verify(idx=place, dnsfunc=_answering(record.value))
            told = "valid" if is_good else "does not stand"
        except Exception as error:  # noqa: BLE001 - of the key, or of any depth of the library
            is_good, told = False, f"cannot be verified: {error}"
        found.append(Verified(key.selector, bool(is_good), told))
    return tuple(found)


def _answering(value: str) -> Callable[..., bytes]:
    def txt(_name: object, timeout: float = 5) -> bytes:  # noqa: ARG001 - dkimpy's own words
        return value.encode()

    return txt
