"""Credentials: generated tokens, and the keyed hashes that a config holds of them.

A token is 256 random bits, so a fast hash is as good as a slow one; that is why a secret is
never made of a password that somebody thought of.
"""

from __future__ import annotations

import binascii
import hmac
import secrets
from base64 import b64decode, b64encode
from typing import Final

PREFIX: Final = "wr_"
_KIND = "hmac-sha256"
_SIZE_BYTES = 32


def new_token() -> str:
    """A new token: `wr_` and 43 characters of base64url (256 bits)."""
    return PREFIX + secrets.token_urlsafe(_SIZE_BYTES)


def hash_token(token: str) -> str:
    """The secret for `token`, with a random key of its own: `hmac-sha256$<key>$<digest>`."""
    key = secrets.token_bytes(_SIZE_BYTES)
    parts = (b64encode(part).decode() for part in (key, _digest(key, token)))
    return "$".join((_KIND, *parts))


def verify_token(token: str, secret: str) -> bool:
    """Whether `secret` was made of `token`; in constant time, False for what is no secret."""
    parts = _parts(secret)
    return parts is not None and hmac.compare_digest(_digest(parts[0], token), parts[1])


def is_secret(text: str) -> bool:
    """Whether `text` has the form that `hash_token` gives."""
    return _parts(text) is not None


def _digest(key: bytes, token: str) -> bytes:
    return hmac.digest(key, token.encode("utf-8", "surrogatepass"), "sha256")


def _parts(secret: str) -> tuple[bytes, bytes] | None:
    kind, _, rest = secret.partition("$")
    try:
        key, digest = (b64decode(part, validate=True) for part in rest.split("$"))
    except (ValueError, binascii.Error):
        return None
    is_whole = kind == _KIND and len(key) == len(digest) == _SIZE_BYTES
    return (key, digest) if is_whole else None


DUMMY_SECRET: Final = hash_token(new_token())
"""Nobody's: verify against it for an unknown user, so that it takes as long as a known one."""
