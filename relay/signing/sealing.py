"""Private keys for the store: sealed with a secret that only the relays have.

AES-256-GCM (NIST SP 800-38D) with a random nonce. What a key is for is sealed with it, so that
one cannot be put in another's place. The secret is a file; it is in no store, backup or log.
"""

from __future__ import annotations

import os
import secrets
from base64 import b64decode, b64encode
from binascii import Error as BadBase64
from contextlib import suppress
from hashlib import sha256
from hmac import digest
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from relay.signing.generate import write_new
from relay.signing.secret_file import read_secret

LEAST_BYTES: Final = 32
MOST_BYTES: Final = 65_536
_VERSION: Final = "a1"
_NONCE_BYTES: Final = 12
_ID_HEX: Final = 12


class NoSealingKey(Exception):
    """There is no usable secret to seal with; the text says what to do, for people."""


class CannotOpen(ValueError):
    """What is sealed cannot be opened; the text says why, for people."""


class Vault:
    """Seals with the secret that is in the file at `path`; opens with each that it has seen there.

    So that the secret can be another one from now on, while relays run: what is sealed with one
    that is not known has the file read again; `look` before the file is another one. `makes`:
    where there is no such file one is made, readable by its owner alone.
    """

    def __init__(self, path: Path | None, *, makes: bool) -> None:
        self._path = path
        self._makes = makes
        self._known: dict[str, bytes] = {}

    def look(self) -> None:
        """Know what is in the file now. That it is not there, or not fit, is told at its use."""
        with suppress(NoSealingKey):
            self._loaded(makes=False)

    @property
    def name(self) -> str:
        """What tells the secret in the file from others, and nothing of it. Raises NoSealingKey."""
        return _id(self._loaded(makes=self._makes))

    def seal(self, content: bytes, purpose: str) -> str:
        """`content` as text that says nothing. Raises NoSealingKey."""
        secret = self._loaded(makes=self._makes)
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + AESGCM(_key(secret)).encrypt(nonce, content, purpose.encode())
        return f"{_VERSION}:{_id(secret)}:{b64encode(sealed).decode()}"

    def open(self, text: str, purpose: str) -> bytes:
        """What was sealed for `purpose`. Raises CannotOpen or NoSealingKey."""
        version, _, rest = text.partition(":")
        name, _, encoded = rest.partition(":")
        if version != _VERSION:
            raise CannotOpen(f"it is sealed in the form {version[:8]!r}, which is not known here")
        if name not in self._known:
            self._loaded(makes=self._makes)
        if name not in self._known:
            raise CannotOpen(f"it is sealed with another secret than that in {self._path}")
        try:
            sealed = b64decode(encoded, validate=True)
            nonce = sealed[:_NONCE_BYTES]
            key = AESGCM(_key(self._known[name]))
            return key.decrypt(nonce, sealed[_NONCE_BYTES:], purpose.encode())
        except (InvalidTag, BadBase64, ValueError) as error:
            raise CannotOpen("it was changed, or sealed for something else") from error

    def _loaded(self, *, makes: bool) -> bytes:
        """The secret in the file as it is now."""
        if self._path is None:
            raise NoSealingKey(
                "secrets.key_file is not set: name a file with 32 random bytes there"
                " (openssl rand -base64 32), the same on every node, and restart"
            )
        secret = _read(self._path, makes=makes)
        self._known[_id(secret)] = secret
        return secret


def _read(path: Path, *, makes: bool) -> bytes:
    try:
        if makes and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileExistsError):  # another process of this relay was quicker
                write_new(path, b64encode(secrets.token_bytes(LEAST_BYTES)) + b"\n")
        _, content = read_secret(path, MOST_BYTES, NoSealingKey)
    except OSError as error:
        raise NoSealingKey(f"{path} cannot be read: {error.strerror}") from error
    if len(content.strip()) < LEAST_BYTES:
        raise NoSealingKey(f"{path} holds less than {LEAST_BYTES} bytes: openssl rand -base64 32")
    return content.strip()


def _key(secret: bytes) -> bytes:
    return digest(secret, b"warmup-relay private keys", sha256)


def _id(secret: bytes) -> str:
    """Tells secrets apart, and nothing of them."""
    return digest(secret, b"warmup-relay key id", sha256).hex()[:_ID_HEX]
