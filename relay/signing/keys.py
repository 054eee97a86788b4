"""Private keys: read, judged once, kept.

Owns what a usable key file is and how long a key stays in memory. `read_key` says in words
what is wrong with a file (for `check` and `init`); `KeyRing` says so in the log only, for its
errors end up at SMTP clients.
"""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from math import lcm
from pathlib import Path
from threading import Lock
from typing import Final, TypeVar

import structlog
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from relay.core.errors import KeyTrouble
from relay.core.filemode import why_unfit
from relay.signing.multibuffer import Numbers
from relay.signing.secret_file import read_secret

RSA_BITS: Final = range(2048, 4097)
"""RFC 8301 §3.2: sign with 2048 at least; verifiers need not take more than 4096."""
MAX_FILE_BYTES: Final = 65_536
BELIEVED_S: Final = 0.02
"""For how long a relay takes a key's file to be as it was."""
MOST_REMEMBERED: Final = 131_072
"""Keys whose numbers are known to belong together."""

_PADDING: Final = PKCS1v15()
_SHA256: Final = SHA256()

log = structlog.get_logger("relay.signing")

K = TypeVar("K")
V = TypeVar("V")
Stamp = tuple[int, int, int, int]


class UnusableKey(ValueError):
    """What is wrong with a key file, in words for people; names the file."""


@dataclass(frozen=True)
class SigningKey:
    """A private key, ready to sign with."""

    private: RSAPrivateKey | Ed25519PrivateKey = field(repr=False)
    is_rsa: bool = field(init=False)

    def __post_init__(self) -> None:
        # Asked once: of an abstract class it takes a while.
        object.__setattr__(self, "is_rsa", isinstance(self.private, RSAPrivateKey))

    @cached_property
    def numbers(self) -> Numbers | None:
        """For signatures that are made together; None for a key that signs alone."""
        with suppress(ValueError):
            return Numbers(self.private) if isinstance(self.private, RSAPrivateKey) else None
        return None

    @property
    def algorithm(self) -> bytes:
        """The a= tag."""
        return b"rsa-sha256" if self.is_rsa else b"ed25519-sha256"

    def sign(self, data: bytes) -> bytes:
        """The signature over `data`: RFC 6376 §3.3.1, or RFC 8463 §3 (over its SHA-256)."""
        sign: Callable[..., bytes] = self.private.sign
        return sign(data, _PADDING, _SHA256) if self.is_rsa else sign(sha256(data).digest())


class KeyRing:
    """Keys by path, at most `capacity` of them, the longest unused dropped first.

    A file is read again when its inode, size or time of change differs. Checking an RSA key
    whole costs 80 ms: `check` does. Here its numbers have to belong together, which is looked
    at once by content. A file that was looked at is taken to be the same for `believed_s`: of a
    crowd of messages one looks. Thread-safe.
    """

    def __init__(
        self,
        capacity: int = 4096,
        believed_s: float = 0.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._believed_s = believed_s
        self._monotonic = monotonic
        self._lately: dict[str, tuple[float, SigningKey]] = {}
        self._capacity = capacity
        # By name, for a Path takes long to hash and to compare.
        self._keys: OrderedDict[str, tuple[Stamp, SigningKey]] = OrderedDict()
        self._good: OrderedDict[bytes, None] = OrderedDict()
        self._lock = Lock()
        self._reading = Lock()

    def held(self, path: Path) -> SigningKey | None:
        """The key of `path` if it is in memory and its file unchanged; reads nothing.

        Raises KeyTrouble where the file cannot be looked at, or others may read it.
        """
        name, now_s = str(path), self._monotonic()
        lately = self._lately.get(name)
        if lately is not None and now_s < lately[0]:
            return lately[1]
        try:
            stamp = _stamp(os.stat(name), path)  # noqa: PTH116 - half the time of Path.stat
        except (OSError, UnusableKey) as error:
            raise _trouble(path, error) from error
        with self._lock:
            found = self._keys.get(name)
            if found is None or found[0] != stamp:
                return None
            self._keys.move_to_end(name)
            self._believe(name, now_s, found[1])
            return found[1]

    def _believe(self, name: str, now_s: float, key: SigningKey) -> None:
        if len(self._lately) >= self._capacity:
            self._lately.clear()
        self._lately[name] = now_s + self._believed_s, key

    def load(self, path: Path) -> SigningKey:
        """The key of `path`, read if need be: for a thread, as it may take some ms.

        Raises KeyTrouble; the log line names the file and what is wrong with it.
        """
        with self._reading:  # many messages may want the same key at once: one check is enough
            found = self.held(path)
            return found or self._read(path)

    def _read(self, path: Path) -> SigningKey:
        try:
            stamp, pem = _contents(path)
            mark = sha256(pem).digest()
            key = _parse(pem, path, is_whole=False)
            if mark not in self._good:
                _prove(key, path)
        except (OSError, UnusableKey) as error:
            raise _trouble(path, error) from error
        with self._lock:
            _keep(self._good, mark, None, MOST_REMEMBERED)
            _keep(self._keys, str(path), (stamp, key), self._capacity)
        return key


def parse_key(pem: bytes, name: str) -> SigningKey:
    """The key of a PEM text that is in no file; `name` stands for it. Raises UnusableKey."""
    return _parse(pem, Path(name), is_whole=False)


def read_key(path: Path) -> SigningKey:
    """The key of `path`, fully checked. Raises UnusableKey or OSError."""
    return _parse(_contents(path)[1], path, is_whole=True)


def try_key(path: Path) -> SigningKey:
    """`read_key` in a fraction of the time: p and q are not proved to be prime."""
    key = _parse(_contents(path)[1], path, is_whole=False)
    _prove(key, path)
    return key


def _prove(key: SigningKey, path: Path) -> None:
    """Raises UnusableKey where the numbers of an RSA key do not belong together (RFC 8017 §3.2).

    All that the whole check looks at but whether p and q are prime, which is what takes long.
    """
    if not isinstance(key.private, RSAPrivateKey):
        return
    of = key.private.private_numbers()
    fits = (
        of.p * of.q == of.public_numbers.n
        and (of.public_numbers.e * of.d - 1) % lcm(of.p - 1, of.q - 1) == 0
        and (of.dmp1, of.dmq1) == (of.d % (of.p - 1), of.d % (of.q - 1))
        and of.iqmp * of.q % of.p == 1
    )
    if not fits:
        raise UnusableKey(f"{path} holds no valid private key in PEM form")


def _keep(kept: OrderedDict[K, V], key: K, value: V, most: int) -> None:
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > most:
        kept.popitem(last=False)


def _trouble(path: Path, error: Exception) -> KeyTrouble:
    log.error("dkim key unusable", file=str(path), why=str(error))
    return KeyTrouble()


def _contents(path: Path) -> tuple[Stamp, bytes]:
    found, content = read_secret(path, MAX_FILE_BYTES, UnusableKey)
    return _stamp(found, path), content


def _stamp(found: os.stat_result, path: Path) -> Stamp:
    if why := why_unfit(path, found.st_mode):
        raise UnusableKey(why)
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_dev


def _parse(pem: bytes, path: Path, *, is_whole: bool) -> SigningKey:
    try:
        key = load_pem_private_key(pem, None, unsafe_skip_rsa_key_validation=not is_whole)
    except TypeError:
        raise UnusableKey(f"{path} is encrypted; a DKIM key file has no passphrase") from None
    except (ValueError, UnsupportedAlgorithm):
        raise UnusableKey(f"{path} holds no valid private key in PEM form") from None
    if isinstance(key, Ed25519PrivateKey):
        return SigningKey(key)
    if not isinstance(key, RSAPrivateKey):
        raise UnusableKey(f"{path} is neither an RSA nor an Ed25519 key")
    if key.key_size not in RSA_BITS:
        raise UnusableKey(
            f"{path} is an RSA key of {key.key_size} bits; {RSA_BITS.start} to "
            f"{RSA_BITS.stop - 1} are allowed (RFC 8301)"
        )
    return SigningKey(key)
