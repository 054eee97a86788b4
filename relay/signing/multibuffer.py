"""Eight RSA-2048 signatures in the time of three: `crypto_mb` of Intel's Cryptography Primitives.

Owns how that library is found and called (`crypto_mb/rsa.h`). It computes with eight keys side by
side, in constant time by its makers' word, where the processor has AVX-512 IFMA or AVX-IFMA. It
does not look at what it made: a signature that came out wrong would tell the private key (Boneh,
DeMillo and Lipton, 1997), so each is looked at with the public key before it leaves.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Sequence
from ctypes import CDLL, c_char, c_int, c_uint32, c_uint64, c_void_p
from hashlib import sha256
from pathlib import Path
from struct import Struct
from typing import Final

import structlog
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

LANES: Final = 8
"""How many signatures are made at once, at most; fewer take the same time."""

NAMES: Final = (
    str(Path(sys.prefix, "lib", "warmup-relay", "libcrypto_mb.so")),
    "libcrypto_mb.so.13",
)
"""Where `scripts/multibuffer` puts it, and what the system's loader is asked for."""

_BITS: Final = 2048
_BYTES: Final = _BITS // 8
_FACTOR_BITS: Final = _BITS // 2
_FACTOR_BYTES: Final = _FACTOR_BITS // 8
_EXPONENT: Final = 65537
_RSA_2K: Final = 1  # MBX_ALGO_RSA_2K of crypto_mb/cpu_features.h

_STATUS_BITS: Final = 4  # of each lane, the first one's are the lowest; crypto_mb/status.h

_DIGEST_INFO: Final = bytes.fromhex("3031300d060960864801650304020105000420")
"""What stands before a SHA-256 (RFC 8017 §9.2, note 1)."""
_BEFORE_DIGEST: Final = b"\0\1%b\0%b" % (
    b"\xff" * (_BYTES - 3 - len(_DIGEST_INFO) - sha256().digest_size),
    _DIGEST_INFO,
)

_POINTERS: Final = Struct(f"{LANES}P")

log = structlog.get_logger("relay.signing")


class WrongSignature(ArithmeticError):
    """The library or the processor failed; the signatures are not to be used."""


class Numbers:
    """An RSA-2048 key as the library reads it. Raises ValueError for one that it cannot take."""

    def __init__(self, private: RSAPrivateKey) -> None:
        of = private.private_numbers()
        sizes = of.public_numbers.n.bit_length(), of.p.bit_length(), of.q.bit_length()
        if sizes != (_BITS, _FACTOR_BITS, _FACTOR_BITS) or of.public_numbers.e != _EXPONENT:
            raise ValueError("another size, or another public exponent")
        halves = of.p, of.q, of.dmp1, of.dmq1, of.iqmp
        text = b"".join([one.to_bytes(_FACTOR_BYTES, "little") for one in halves])
        text += of.public_numbers.n.to_bytes(_BYTES, "little")
        self._text = (c_char * len(text)).from_buffer_copy(text)
        start = ctypes.addressof(self._text)
        self.addresses = tuple(start + at * _FACTOR_BYTES for at in range(len(halves) + 1))
        """Where p, q, d mod p-1, d mod q-1, 1/q mod p and n begin."""


class MultiBuffer:
    """Signs by RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017 §8.2). For one thread at a time."""

    def __init__(self, library: CDLL) -> None:
        size = library.mbx_RSA_Method_BufSize
        self._sign, self._prove = library.mbx_rsa_private_crt_mb8, library.mbx_rsa_public_mb8
        self._sign.argtypes = [*[c_void_p] * 7, c_int, c_void_p, c_void_p]
        self._prove.argtypes = [*[c_void_p] * 3, c_int, c_void_p, c_void_p]
        self._sign.restype = self._prove.restype = c_uint32
        size.argtypes = [c_void_p]
        self._methods = []
        for method in (library.mbx_RSA2K_private_crt_Method, library.mbx_RSA2K_pub65537_Method):
            method.restype = c_void_p
            self._methods.append(method())
        self._scratch = (c_char * max(map(size, self._methods)))()
        self._asked, self._made, self._proved = _Row(), _Row(), _Row()

    def sign(self, keys: Sequence[Numbers], data: Sequence[bytes]) -> list[bytes]:
        """The signature of each of `keys` over its `data`; LANES at most.

        Takes some 0.8 ms, whatever their number. Raises WrongSignature.
        """
        count = len(keys)
        asked = b"".join([_BEFORE_DIGEST + sha256(one).digest() for one in data])
        self._asked.text[: len(asked)] = asked
        given, made, proved = [
            _pointers(row.addresses[:count]) for row in (self._asked, self._made, self._proved)
        ]
        columns = zip(*[key.addresses for key in keys], strict=True)
        *private, modulus = [_pointers(column) for column in columns]
        signing, proving = self._methods
        wrong = self._sign(given, made, *private, _BITS, signing, self._scratch)
        wrong |= self._prove(made, proved, modulus, _BITS, proving, self._scratch)
        of_used_lanes = (1 << count * _STATUS_BITS) - 1
        if wrong & of_used_lanes or self._proved.text[: len(asked)] != asked:
            raise WrongSignature
        signatures = bytes(self._made.text[: len(asked)])
        return [signatures[at : at + _BYTES] for at in range(0, len(asked), _BYTES)]


class _Row:
    """Room for a number of each lane."""

    def __init__(self) -> None:
        room = (c_char * (_BYTES * LANES))()
        self.text = memoryview(room).cast("B")
        start = ctypes.addressof(room)
        self.addresses = tuple(range(start, start + len(room), _BYTES))


def _pointers(addresses: Sequence[int]) -> bytes:
    return _POINTERS.pack(*addresses, *(0,) * (LANES - len(addresses)))


def open_multibuffer(names: Sequence[str] = NAMES) -> MultiBuffer | None:
    """The first of `names` that is there; None without one, or without such a processor."""
    for name in names:
        try:
            library = CDLL(name)
            library.mbx_get_algo_info.restype = c_uint64
            found = library.mbx_get_algo_info(_RSA_2K) & LANES and MultiBuffer(library)
        except (OSError, AttributeError):  # not there, or another library
            continue
        if found:
            log.info("rsa signatures are made together", most=LANES, library=name)
            return found
    return None
