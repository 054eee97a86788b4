"""DKIM keys for a test's domain, and a resolver that knows their records."""

from __future__ import annotations

import base64
from pathlib import Path

import dkim
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from tests.harness.relay_config import DOMAIN


class DkimKeys:
    """An RSA-2048 key, selector s1, and an Ed25519 key, selector s2, for `domain`."""

    def __init__(self, directory: Path, domain: str = DOMAIN) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._records: dict[bytes, bytes] = {}
        self.section: list[dict[str, str]] = []
        rsa_key = rsa.generate_private_key(65537, 2048)
        spki = rsa_key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self._add(directory, domain, "s1", "rsa", rsa_key, spki)
        ed_key = ed25519.Ed25519PrivateKey.generate()
        raw = ed_key.public_key().public_bytes_raw()
        self._add(directory, domain, "s2", "ed25519", ed_key, raw)

    def _add(
        self,
        directory: Path,
        domain: str,
        selector: str,
        kind: str,
        key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey,
        public: bytes,
    ) -> None:
        path = directory / f"{domain}.{selector}.pem"
        path.touch(mode=0o600)
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        record = f"v=DKIM1; k={kind}; p={base64.b64encode(public).decode()}"
        self._records[f"{selector}._domainkey.{domain}.".encode()] = record.encode()
        self.section.append({"selector": selector, "key": str(path)})

    def records(self) -> list[str]:
        """The TXT records to publish, in the order of the signatures."""
        return [record.decode() for record in self._records.values()]

    def verified(self, message: bytes) -> list[bool]:
        """Whether each of our two signatures verifies, by dkimpy; they are the topmost ones."""
        return [dkim.DKIM(message).verify(idx=number, dnsfunc=self._lookup) for number in range(2)]

    def _lookup(self, name: bytes, timeout: int = 5) -> bytes | None:
        return self._records.get(name)
