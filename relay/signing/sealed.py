"""The keys of added domains: made, sealed for the store, opened to sign with.

A sealed key is opened once and kept in memory by what is sealed, so another one in its place is
another key. What is wrong with one goes to the log only: its errors end up at SMTP clients.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from threading import Lock
from typing import Final

import structlog

from relay.core.errors import KeyTrouble
from relay.core.tenants.tenancy import SealedKey
from relay.signing.generate import KeyKind, new_key_pem
from relay.signing.keys import SigningKey, UnusableKey, parse_key
from relay.signing.record import record_text
from relay.signing.sealing import CannotOpen, NoSealingKey, Vault

log = structlog.get_logger("relay.signing")

KINDS: Final = (KeyKind.RSA, KeyKind.ED25519)
"""A domain gets one of each (RFC 8463 §3)."""


def new_sealed_keys(vault: Vault, domain: str, label: str) -> tuple[SealedKey, ...]:
    """New keys for `domain`, whose selectors begin with `label`: for a thread, some 0.1 s.

    Raises NoSealingKey, before it makes any.
    """
    vault.seal(b"", domain)
    return tuple(_made(vault, domain, f"{label}-{kind.value}", kind) for kind in KINDS)


def _made(vault: Vault, domain: str, selector: str, kind: KeyKind) -> SealedKey:
    pem = new_key_pem(kind)
    record = record_text(parse_key(pem, selector))
    return SealedKey(selector, record, vault.seal(pem, _purpose(domain, selector)))


def opened(vault: Vault, domain: str, key: SealedKey) -> SigningKey:
    """The key itself. Raises CannotOpen, NoSealingKey or UnusableKey, in words for people."""
    pem = vault.open(key.sealed, _purpose(domain, key.selector))
    return parse_key(pem, f"{domain} {key.selector}")


def resealed(old: Vault, new: Vault, domain: str, key: SealedKey) -> SealedKey:
    """`key` sealed by `new`; the same where it is so already. Raises CannotOpen, NoSealingKey."""
    purpose = _purpose(domain, key.selector)
    try:
        new.open(key.sealed, purpose)
    except CannotOpen:
        return replace(key, sealed=new.seal(old.open(key.sealed, purpose), purpose))
    return key


def _purpose(domain: str, selector: str) -> str:
    return f"dkim {selector}._domainkey.{domain}"


class SealedRing:
    """Opened keys, at most `capacity` of them, the longest unused dropped first. Thread-safe."""

    def __init__(self, vault: Vault, capacity: int = 4096) -> None:
        self._vault = vault
        self._capacity = capacity
        self._keys: OrderedDict[str, SigningKey] = OrderedDict()
        self._lock = Lock()

    def key(self, domain: str, key: SealedKey) -> SigningKey:
        """The key, opened if need be (under a millisecond). Raises KeyTrouble."""
        with self._lock:
            found = self._keys.get(key.sealed)
            if found is None:
                found = self._keys[key.sealed] = self._opened(domain, key)
            self._keys.move_to_end(key.sealed)
            if len(self._keys) > self._capacity:
                self._keys.popitem(last=False)
        return found

    def _opened(self, domain: str, key: SealedKey) -> SigningKey:
        try:
            return opened(self._vault, domain, key)
        except (CannotOpen, NoSealingKey, UnusableKey) as error:
            log.error("dkim key unusable", domain=domain, selector=key.selector, why=str(error))  # noqa: TRY400
            raise KeyTrouble from error
