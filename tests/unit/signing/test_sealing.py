"""Keys in the store: sealed, opened for what they are for alone, and the secret's own file."""

from __future__ import annotations

import base64
import os
from dataclasses import replace

import pytest

from relay.core.errors import KeyTrouble
from relay.signing.sealed import SealedRing, new_sealed_keys, opened
from relay.signing.sealing import CannotOpen, NoSealingKey, Vault

DOMAIN = "new.acme.example"


@pytest.fixture
def vault(tmp_path) -> Vault:
    return Vault(tmp_path / "sealing.key", makes=True)


def test_what_is_sealed_says_nothing_and_is_another_text_each_time(vault):
    first, second = (vault.seal(b"a secret of ours", "x") for _ in range(2))
    assert first != second
    for text in (first, second):
        assert b"secret" not in base64.b64decode(text.rpartition(":")[2])
        assert vault.open(text, "x") == b"a secret of ours"


def test_what_is_changed_or_for_something_else_is_not_opened(vault):
    text = vault.seal(b"content", "one")
    with pytest.raises(CannotOpen, match="sealed for something else"):
        vault.open(text, "another")
    head, _, body = text.rpartition(":")
    raw = bytearray(base64.b64decode(body))
    for at in (0, 12, len(raw) - 1):
        turned = bytes([*raw[:at], raw[at] ^ 1, *raw[at + 1 :]])
        with pytest.raises(CannotOpen):
            vault.open(f"{head}:{base64.b64encode(turned).decode()}", "one")
    for text in ("", "a1", "a1:x:y", f"a2:{head}", f"{head}:", f"{head}:***", f"{head}:AAAA"):
        with pytest.raises(CannotOpen):
            vault.open(text, "one")


def test_the_secret_of_an_embedded_store_is_made_once_for_its_owner_alone(tmp_path, vault):
    path = tmp_path / "sealing.key"
    assert not path.exists(), "not before it is needed"
    text = vault.seal(b"content", "x")
    assert path.stat().st_mode & 0o777 == 0o600
    held = path.read_bytes()
    assert Vault(path, makes=True).open(text, "x") == b"content"
    assert path.read_bytes() == held


def test_a_secret_that_is_not_there_or_not_fit_is_refused_in_words(tmp_path):
    with pytest.raises(NoSealingKey, match=r"secrets\.key_file is not set"):
        Vault(None, makes=False).seal(b"", "x")
    path = tmp_path / "key"
    with pytest.raises(NoSealingKey, match="cannot be read"):
        Vault(path, makes=False).seal(b"", "x")
    path.touch(mode=0o600)
    path.write_text("short")
    with pytest.raises(NoSealingKey, match="less than 32 bytes"):
        Vault(path, makes=False).seal(b"", "x")
    path.write_text("x" * 44)
    path.chmod(0o644)
    with pytest.raises(NoSealingKey, match="chmod 0600"):
        Vault(path, makes=False).seal(b"", "x")
    path.unlink()
    os.mkfifo(path, 0o600)
    with pytest.raises(NoSealingKey, match="is not a file"):
        Vault(path, makes=False).seal(b"", "x")


def test_another_secret_is_told_from_a_damaged_text(tmp_path, vault):
    text = vault.seal(b"content", "x")
    other = tmp_path / "other"
    other.touch(mode=0o600)
    other.write_text("y" * 44)
    with pytest.raises(CannotOpen, match="another secret than that in"):
        Vault(other, makes=False).open(text, "x")


def test_a_secret_that_was_seen_opens_after_another_has_taken_its_place(tmp_path, vault):
    path = tmp_path / "sealing.key"
    seen, unseen = (Vault(path, makes=True) for _ in range(2))
    seen.look()
    assert not path.exists(), "looking makes none"
    text = vault.seal(b"content", "x")
    seen.look()
    path.write_text("another secret, of more than thirty-two bytes")
    assert seen.open(text, "x") == b"content"
    with pytest.raises(CannotOpen):
        unseen.open(text, "x")


def test_a_domain_gets_a_key_of_each_kind_whose_records_are_their_public_halves(vault):
    rsa, ed25519 = new_sealed_keys(vault, DOMAIN, "wr1")
    assert (rsa.selector, ed25519.selector) == ("wr1-rsa", "wr1-ed25519")
    assert opened(vault, DOMAIN, rsa).algorithm == b"rsa-sha256"
    assert opened(vault, DOMAIN, ed25519).algorithm == b"ed25519-sha256"
    assert rsa.record.startswith("v=DKIM1; k=rsa; p=MII")
    assert "sealed" not in repr(rsa)


def test_a_key_is_opened_for_its_own_domain_and_selector_alone_and_kept(vault):
    ring = SealedRing(vault, capacity=1)
    rsa, ed25519 = new_sealed_keys(vault, DOMAIN, "wr1")
    first = ring.key(DOMAIN, rsa)
    assert ring.key(DOMAIN, rsa) is first
    ring.key(DOMAIN, ed25519)
    assert ring.key(DOMAIN, rsa) is not first, "the longest unused is dropped"
    fresh = SealedRing(vault)
    with pytest.raises(KeyTrouble):
        fresh.key("other.acme.example", rsa)
    with pytest.raises(KeyTrouble):
        fresh.key(DOMAIN, replace(ed25519, selector="wr1-rsa"))
