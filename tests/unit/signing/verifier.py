"""A second DKIM verifier, written from RFC 6376 §3.4, §3.5, §3.7 and RFC 8463 alone.

It shares nothing with `relay` and nothing with dkimpy but the standard: it works on the whole
message with plain regular expressions, and takes what dkimpy cannot (white space before a
colon, a message without an empty line).
"""

from __future__ import annotations

import re
from base64 import b64decode
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key


def verifies(message: bytes, number: int, record: str) -> bool:
    """Whether DKIM-Signature `number` (from the top) is right by the key `record` (a TXT)."""
    fields, body = _parse(message)
    signature = [value for name, value in fields if _lower(name) == b"dkim-signature"][number]
    tags = _tags(signature)
    assert tags[b"c"] == b"relaxed/relaxed"
    if b64decode(tags[b"bh"]) != sha256(_body(body)).digest():
        return False
    return _signature_is_right(tags, _header_data(fields, signature, tags), record)


def signature_tags(message: bytes, number: int) -> dict[bytes, bytes]:
    """The tags of DKIM-Signature `number`, white space removed."""
    fields, _ = _parse(message)
    return _tags([v for name, v in fields if _lower(name) == b"dkim-signature"][number])


def _parse(message: bytes) -> tuple[list[tuple[bytes, bytes]], bytes]:
    header, _, body = message.partition(b"\r\n\r\n")
    lines = re.split(rb"\r\n(?![ \t])", header.removesuffix(b"\r\n"))
    return [tuple(line.split(b":", 1)) for line in lines], body


def _lower(name: bytes) -> bytes:
    return name.strip(b" \t").lower()


def _tags(value: bytes) -> dict[bytes, bytes]:
    pairs = (part.split(b"=", 1) for part in value.split(b";") if part.strip())
    return {name.strip(): re.sub(rb"[ \t\r\n]", b"", text) for name, text in pairs}


def _header_data(
    fields: list[tuple[bytes, bytes]], signature: bytes, tags: dict[bytes, bytes]
) -> bytes:
    left = {}
    for name, value in fields:
        left.setdefault(_lower(name), []).append(value)
    data = b""
    for name in tags[b"h"].lower().split(b":"):
        if left.get(name):
            data += name + b":" + _relaxed(left[name].pop()) + b"\r\n"
    emptied = re.sub(rb"([;\s]b[ \t\r\n]*=)[^;]*", rb"\1", signature, count=1)
    return data + b"dkim-signature:" + _relaxed(emptied)


def _relaxed(value: bytes) -> bytes:
    return re.sub(rb"[ \t]+", b" ", value.replace(b"\r\n", b"")).strip(b" ")


def _body(body: bytes) -> bytes:
    lines = [re.sub(rb"[ \t]+", b" ", line).rstrip(b" ") for line in body.split(b"\r\n")]
    while lines and not lines[-1]:
        lines.pop()
    return b"".join(line + b"\r\n" for line in lines)


def _signature_is_right(tags: dict[bytes, bytes], data: bytes, record: str) -> bool:
    published = dict(part.strip().split("=", 1) for part in record.split(";"))
    public, signature = b64decode(published["p"]), b64decode(tags[b"b"])
    try:
        if tags[b"a"] == b"ed25519-sha256":
            assert published["k"] == "ed25519"
            Ed25519PublicKey.from_public_bytes(public).verify(signature, sha256(data).digest())
        else:
            assert (tags[b"a"], published["k"]) == (b"rsa-sha256", "rsa")
            load_der_public_key(public).verify(signature, data, PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True
