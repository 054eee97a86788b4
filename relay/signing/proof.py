"""Whether an Ed25519 signature of DKIM stands (RFC 8463 §3): the verifier's side of `keys.py`."""

from __future__ import annotations

from base64 import b64decode

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


class Ed25519Proof:
    """A public key, as the p= tag of a record has it: 32 bytes in base64.

    `is_good` is what came of the last `verify`, which never raises. Raises ValueError for what
    is no key.
    """

    keysize_bits = 256

    def __init__(self, published: str) -> None:
        self._key = Ed25519PublicKey.from_public_bytes(b64decode(published, validate=True))
        self.is_good = False

    def verify(self, digest: bytes, signature: bytes) -> None:
        """Look at `signature` over the SHA-256 `digest` of the signed header fields."""
        try:
            self._key.verify(signature, digest)
        except InvalidSignature:
            self.is_good = False
        else:
            self.is_good = True
