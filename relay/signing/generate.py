"""New private keys, on disk so that nobody else can read them and none is ever lost.

A key file appears under its name complete and durable, or not at all; one that is there is
never overwritten, for a published key whose private half is gone stops all signing.
"""

from __future__ import annotations

import os
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from tempfile import mkstemp
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

RSA_BITS: Final = 2048
"""What every verifier takes, and whose record fits a DNS answer over UDP (RFC 8301 §3.2)."""
_EXPONENT: Final = 65537


class KeyKind(StrEnum):
    """What is signed with; mail should carry one signature of each (RFC 8463 §3)."""

    RSA = "rsa"
    ED25519 = "ed25519"


def generate_key(path: Path, kind: KeyKind) -> None:
    """Make a new private key in `path` (PEM, PKCS #8, mode 0600), its directory if need be.

    Raises FileExistsError where there is a file, changing nothing; OSError. RSA takes about
    a tenth of a second.
    """
    if path.exists():
        raise FileExistsError(f"{path} is there already; a key is never overwritten")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_new(path, new_key_pem(kind))


def new_key_pem(kind: KeyKind) -> bytes:
    """A new private key (PEM, PKCS #8). RSA takes about a tenth of a second."""
    key = (
        generate_private_key(_EXPONENT, RSA_BITS)
        if kind is KeyKind.RSA
        else Ed25519PrivateKey.generate()
    )
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def write_new(path: Path, content: bytes) -> None:
    """Put `content` into a new file with mode 0600, complete and durable.

    Written beside `path`, then linked: raises FileExistsError where `path` has come to be; OSError.
    """
    handle, draft = mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _link(draft, path)
    finally:
        with suppress(FileNotFoundError):
            Path(draft).unlink()
    _sync_directory(path.parent)


def _link(draft: str, path: Path) -> None:
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        raise FileExistsError(f"{path} is there already; a key is never overwritten") from None


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
