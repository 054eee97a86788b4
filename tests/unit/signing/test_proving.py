"""What the test message's page says of signatures: dkimpy's findings, and no PyNaCl."""

from __future__ import annotations

import base64
from pathlib import Path

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from relay.admin.proving import DkimProving
from relay.core.tenants.tenancy import DkimKey, SendingDomain
from relay.ports.pages import Tray
from relay.signing.proof import Ed25519Proof

PUBLISHED = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
PRIVATE = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="
# RFC 8463, appendix A.3: the first of the two signatures.
MESSAGE = b"""\
DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=brisbane; t=1528637909; h=from : to :
 subject : date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus
 Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==
From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>

Hi.

We lost the game.  Are you hungry yet?

Joe.
""".replace(b"\n", b"\r\n")


@pytest.fixture(autouse=True)
def _no_nacl(monkeypatch):
    monkeypatch.delattr(dkim, "nacl")


@pytest.fixture
def domain(tmp_path: Path) -> SendingDomain:
    key = Ed25519PrivateKey.from_private_bytes(base64.b64decode(PRIVATE))
    path = tmp_path / "brisbane.pem"
    path.touch(mode=0o600)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return SendingDomain(
        "football.example.com", "acme", dkim=(DkimKey("brisbane", path),), routes=()
    )


async def verdict(content: bytes, domain: SendingDomain) -> tuple[str, bool, str]:
    [found] = await DkimProving().verify(Tray(content), domain)
    return found.selector, found.is_good, found.told


async def test_the_example_of_the_rfc_stands(domain):
    assert await verdict(MESSAGE, domain) == ("brisbane", True, "valid")


@pytest.mark.parametrize(
    ("was", "becomes"),
    [(b"Subject: Is", b"Subject: Was"), (b"5F8J@", b"5F8K@"), (b"b=/gC", b"b=/gD")],
)
async def test_a_header_or_signature_that_was_changed_does_not_stand(domain, was, becomes):
    found = await verdict(MESSAGE.replace(was, becomes), domain)
    assert found == ("brisbane", False, "does not stand")


async def test_a_body_that_was_changed_is_told_as_such(domain):
    _, is_good, told = await verdict(MESSAGE.replace(b"lost", b"won"), domain)
    assert not is_good
    assert "body hash mismatch" in told


@pytest.mark.parametrize("published", ["", "AAAA", "not base64!", PUBLISHED[:-4]])
def test_what_is_no_key_is_refused(published):
    with pytest.raises(ValueError):  # noqa: PT011 - of base64 or of the library
        Ed25519Proof(published)
