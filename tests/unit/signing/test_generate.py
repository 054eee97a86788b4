from __future__ import annotations

import subprocess
from base64 import b64decode

import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key

from relay.signing import generate
from relay.signing.generate import KeyKind, generate_key
from relay.signing.keys import UnusableKey, read_key
from relay.signing.record import KeyRecord, key_record

DOMAIN = "news.acme.example"


@pytest.mark.parametrize("kind", KeyKind)
def test_a_new_key_is_for_its_owner_only_and_leaves_nothing_beside_it(tmp_path, kind):
    path = tmp_path / "dkim" / "deep" / "key.pem"
    generate_key(path, kind)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_nlink == 1
    assert list(path.parent.iterdir()) == [path]
    assert read_key(path).algorithm.decode().startswith(kind)


def test_a_key_is_never_overwritten(tmp_path):
    path = tmp_path / "key.pem"
    path.write_bytes(b"precious")
    with pytest.raises(FileExistsError, match="never overwritten"):
        generate_key(path, KeyKind.ED25519)
    assert path.read_bytes() == b"precious"


def test_a_file_that_comes_while_the_key_is_made_stays(tmp_path, monkeypatch):
    path = tmp_path / "key.pem"
    make = generate.new_key_pem

    def slowly(kind):
        path.write_bytes(b"precious")
        return make(kind)

    monkeypatch.setattr(generate, "new_key_pem", slowly)
    with pytest.raises(FileExistsError, match="never overwritten"):
        generate_key(path, KeyKind.ED25519)
    assert path.read_bytes() == b"precious"
    assert list(tmp_path.iterdir()) == [path]


def test_a_dangling_link_is_not_followed(tmp_path):
    path = tmp_path / "key.pem"
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        generate_key(path, KeyKind.ED25519)
    assert not (tmp_path / "elsewhere").exists()


def test_the_record_of_an_rsa_key_is_what_openssl_says_it_is(tmp_path):
    path = tmp_path / "key.pem"
    generate_key(path, KeyKind.RSA)
    record = key_record("News.Acme.Example", "s1", path)
    assert record.name == "s1._domainkey.news.acme.example."
    head, _, public = record.value.partition("; p=")
    assert head == "v=DKIM1; k=rsa"
    openssl = ["openssl", "pkey", "-in", str(path), "-pubout", "-outform", "DER"]
    told = subprocess.run(openssl, capture_output=True, check=True, timeout=20)
    assert b64decode(public) == told.stdout
    assert load_der_public_key(b64decode(public)).key_size == 2048


def test_the_record_of_an_ed25519_key_is_its_bare_32_bytes(tmp_path):
    path = tmp_path / "key.pem"
    generate_key(path, KeyKind.ED25519)
    head, _, public = key_record(DOMAIN, "s1", path).value.partition("; p=")
    assert head == "v=DKIM1; k=ed25519"
    openssl = ["openssl", "pkey", "-in", str(path), "-pubout", "-outform", "DER"]
    told = subprocess.run(openssl, capture_output=True, check=True, timeout=20)
    assert b64decode(public) == told.stdout[-32:]


def test_the_zone_text_is_in_strings_of_at_most_255_bytes():
    record = KeyRecord("s1._domainkey.a.example.", "v=DKIM1; k=rsa; p=" + "A" * 500)
    assert record.strings == ("v=DKIM1; k=rsa; p=" + "A" * 237, "A" * 255, "A" * 8)
    assert record.zone_text() == (
        "s1._domainkey.a.example. IN TXT (\n"
        f'    "v=DKIM1; k=rsa; p={"A" * 237}"\n'
        f'    "{"A" * 255}"\n'
        f'    "{"A" * 8}"\n'
        ")\n"
    )


@pytest.mark.parametrize(
    "selector", ["", "a b", "-a", "a.", ".a", "_a", "a_", "a.-b", "é", "a;b", 'a"', "x" * 64]
)
def test_a_bad_selector_is_refused(tmp_path, selector):
    with pytest.raises(ValueError, match="is no DKIM selector"):
        key_record(DOMAIN, selector, tmp_path / "key.pem")


@pytest.mark.parametrize("selector", ["S1", "a_b", "a-b.2026", "x" * 63])
def test_a_selector_that_the_dns_can_hold_is_taken(tmp_path, selector):
    path = tmp_path / "key.pem"
    generate_key(path, KeyKind.ED25519)
    assert key_record(DOMAIN, selector, path).name == f"{selector}._domainkey.{DOMAIN}."


def test_a_record_needs_a_good_domain_and_key(tmp_path):
    path = tmp_path / "key.pem"
    path.write_bytes(b"no key")
    path.chmod(0o600)
    with pytest.raises(ValueError, match="domain"):
        key_record("not a domain", "s1", path)
    with pytest.raises(UnusableKey):
        key_record(DOMAIN, "s1", path)
