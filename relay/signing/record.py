"""The DNS record that publishes a DKIM key (RFC 6376 §3.6.1, RFC 8463 §4).

Owns its name, its text, and how it is written in a zone file. Knows nothing of DNS servers.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from relay.core.domain import is_selector, normalize_domain
from relay.core.tenants.published import strings_of
from relay.core.tenants.tenancy import DkimKey, SealedKey
from relay.signing.keys import SigningKey, read_key


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A TXT record: `name` ends in a dot, `value` is its whole text."""

    name: str
    value: str

    @property
    def strings(self) -> tuple[str, ...]:
        """`value` in the strings that a TXT record is made of."""
        return strings_of(self.value)

    def zone_text(self) -> str:
        """The record in zone file form (RFC 1035 §5.1), one string a line."""
        lines = "\n".join(f'    "{string}"' for string in self.strings)
        return f"{self.name} IN TXT (\n{lines}\n)\n"


def key_record(domain: str, selector: str, path: Path) -> KeyRecord:
    """The record for the private key in `path`.

    Raises ValueError for a bad domain or selector, `keys.UnusableKey` (one too) for a bad
    key, OSError for a file that cannot be read.
    """
    return KeyRecord(record_name(domain, selector), record_text(read_key(path)))


def record_of(domain: str, key: DkimKey | SealedKey) -> KeyRecord:
    """The record for a key of `domain`; see `key_record` for what is raised of one in a file."""
    if isinstance(key, SealedKey):
        return KeyRecord(record_name(domain, key.selector), key.record)
    return key_record(domain, key.selector, key.path)


def record_text(key: SigningKey) -> str:
    """The text that publishes the public half of `key`."""
    kind, public = public_part(key)
    return f"v=DKIM1; k={kind}; p={public}"


def record_name(domain: str, selector: str) -> str:
    """Where the key is published, with a dot at its end. Raises ValueError as `key_record`."""
    return f"{check_selector(selector)}._domainkey.{normalize_domain(domain)}."


def public_part(key: SigningKey) -> tuple[str, str]:
    """The k= and p= tags of a key: SubjectPublicKeyInfo for RSA, the bare 32 bytes for Ed25519."""
    public = key.private.public_key()
    if isinstance(public, RSAPublicKey):
        spki = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return "rsa", b64encode(spki).decode("ascii")
    raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return "ed25519", b64encode(raw).decode("ascii")


def check_selector(selector: str) -> str:
    """`selector`, if it is one (RFC 6376 §3.1: labels and dots). Raises ValueError if not."""
    if not is_selector(selector):
        raise ValueError(f'"{selector}" is no DKIM selector: letters, digits, "-", "_" and dots')
    return selector
