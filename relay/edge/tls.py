"""The certificate of the relay, which can be renewed while it runs, and bytes before their time."""

from __future__ import annotations

import asyncio
import logging
import ssl
from pathlib import Path
from typing import NoReturn, cast

from relay.core.filemode import is_file, why_unfit

log = logging.getLogger(__name__)

HANDSHAKE_TIMEOUT_S = 30.0
SHUTDOWN_TIMEOUT_S = 5.0


class Certificate:
    """A certificate chain and its key, in PEM files. Raises OSError (ssl.SSLError) if unusable.

    `context` is what new connections use; those that stand keep theirs. `is_stale`: the files
    hold something else, which could not be used.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self._certificate = certificate
        self._key = key
        self._stamp = self._read_stamp()
        self.context = server_context(certificate, key)
        self.is_stale = False

    def has_changed(self) -> bool:
        """Whether the files differ from those that were last read."""
        return self._read_stamp() != self._stamp

    def reload(self) -> bool:
        """Read the files again. False, and the old certificate stays, if they are unusable."""
        self._stamp = self._read_stamp()
        try:
            self.context = server_context(self._certificate, self._key)
        except OSError as error:  # ssl.SSLError is one
            log.error("certificate %s kept as it was: %s", self._certificate, error)  # noqa: TRY400
            self.is_stale = True
            return False
        self.is_stale = False
        return True

    def _read_stamp(self) -> tuple[tuple[int, int, int] | None, ...]:
        return tuple(_stamp(path) for path in (self._certificate, self._key))


def _require_files(certificate: Path, key: Path) -> None:
    """Raises OSError where one of them is no file, or everybody may read `key`."""
    if not is_file(certificate.stat().st_mode):
        raise OSError(f"{certificate} is not a file")
    if why := why_unfit(key, key.stat().st_mode):
        raise PermissionError(why)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """TLS 1.2 or newer (RFC 8997); clients are not asked for a certificate.

    Raises OSError, also for a key that everybody may read, or that has a passphrase.
    """
    _require_files(certificate, key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key, password=_refuse_passphrase)
    return context


def _refuse_passphrase() -> NoReturn:
    """In place of OpenSSL, which would ask for it at the terminal, and everything would wait."""
    raise OSError("the key has a passphrase; the relay needs one without")


def replay(transport: asyncio.Transport, data: bytes) -> None:
    """Give `data` to the protocol that TLS is spoken by, as if it came only now."""
    protocol = cast("asyncio.BufferedProtocol", transport.get_protocol())
    while data:
        room = memoryview(protocol.get_buffer(len(data)))
        taken = min(len(room), len(data))
        room[:taken] = data[:taken]
        protocol.buffer_updated(taken)
        data = data[taken:]
