from __future__ import annotations

import os
import shutil

import pytest
import structlog
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from relay.core.errors import KeyTrouble
from relay.signing import keys
from relay.signing.keys import KeyRing, UnusableKey, read_key, try_key


def pem(key, how=PrivateFormat.PKCS8, encryption=None) -> bytes:
    return key.private_bytes(Encoding.PEM, how, encryption or NoEncryption())


@pytest.fixture(scope="module")
def rsa_pem() -> bytes:
    return pem(rsa.generate_private_key(65537, 2048))


@pytest.fixture
def write(tmp_path):
    def to_file(content: bytes, name="key.pem", mode=0o600):
        path = tmp_path / name
        path.write_bytes(content)
        path.chmod(mode)
        return path

    return to_file


@pytest.fixture
def proved(monkeypatch):
    """Whatever had to make a good signature before it was used."""
    asked = []
    real = keys._prove
    monkeypatch.setattr(keys, "_prove", lambda key, path: asked.append(path) or real(key, path))
    return asked


@pytest.fixture
def parsed(monkeypatch):
    """The `unsafe_skip_rsa_key_validation` of every parse."""
    skipped = []
    real = keys.load_pem_private_key

    def noted(data, password, *, unsafe_skip_rsa_key_validation):
        skipped.append(unsafe_skip_rsa_key_validation)
        return real(data, password, unsafe_skip_rsa_key_validation=unsafe_skip_rsa_key_validation)

    monkeypatch.setattr(keys, "load_pem_private_key", noted)
    return skipped


def test_pkcs8_and_traditional_rsa_and_ed25519_are_read(write, rsa_pem):
    key = rsa.generate_private_key(65537, 2048)
    assert read_key(write(rsa_pem)).algorithm == b"rsa-sha256"
    assert read_key(write(pem(key, PrivateFormat.TraditionalOpenSSL))).algorithm == b"rsa-sha256"
    made = pem(ed25519.Ed25519PrivateKey.generate())
    assert read_key(write(made)).algorithm == b"ed25519-sha256"


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o660, 0o400, 0o601])
def test_a_file_that_others_cannot_read_is_taken(write, rsa_pem, mode):
    assert read_key(write(rsa_pem, mode=mode))


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o602, 0o666])
def test_a_file_that_others_can_read_or_write_is_refused(write, rsa_pem, mode):
    path = write(rsa_pem, mode=mode)
    with pytest.raises(UnusableKey, match=rf"key.pem can be read or written .*{mode:04o}.*chmod"):
        read_key(path)


@pytest.mark.parametrize("bits", [1024, 1536])
def test_a_short_rsa_key_is_refused(write, bits):
    path = write(pem(rsa.generate_private_key(65537, bits)))
    with pytest.raises(UnusableKey, match=f"RSA key of {bits} bits; 2048 to 4096 are allowed"):
        read_key(path)


def corrupted(pem_text: bytes) -> bytes:
    middle = len(pem_text) // 2
    return (
        pem_text[:middle]
        + (b"A" if pem_text[middle : middle + 1] != b"A" else b"B")
        + pem_text[middle + 1 :]
    )


def test_what_is_no_key_is_refused_in_words(write, rsa_pem):
    small = ed25519.Ed25519PrivateKey.generate()
    bad = {
        "holds no valid private key": [
            b"",
            b"hello",
            rsa_pem[:200],
            corrupted(rsa_pem),
            b"\0" * 99,
        ],
        "is encrypted": [pem(small, encryption=BestAvailableEncryption(b"x"))],
        "neither an RSA nor an Ed25519 key": [pem(ec.generate_private_key(ec.SECP256R1()))],
    }
    for text, contents in bad.items():
        for content in contents:
            with pytest.raises(UnusableKey, match=f"key.pem .*{text}|key.pem {text}"):
                read_key(write(content))


def test_a_key_is_read_once_while_its_file_is_unchanged(write, rsa_pem, parsed):
    ring, path = KeyRing(), write(rsa_pem)
    assert ring.held(path) is None
    first = ring.load(path)
    assert ring.load(path) is first
    assert ring.held(path) is first
    assert parsed == [True]


def test_a_changed_file_is_read_again(write, rsa_pem):
    ring, path = KeyRing(), write(rsa_pem)
    ring.load(path)
    path.write_bytes(pem(ed25519.Ed25519PrivateKey.generate()))
    assert ring.held(path) is None
    assert ring.load(path).algorithm == b"ed25519-sha256"


def test_a_file_that_was_looked_at_a_moment_ago_is_taken_to_be_the_same(write, rsa_pem):
    now_s = [100.0]
    ring = KeyRing(believed_s=1.0, monotonic=lambda: now_s[0])
    path = write(rsa_pem)
    first = ring.load(path)
    assert ring.held(path) is first
    write(pem(ed25519.Ed25519PrivateKey.generate()))
    now_s[0] += 0.9
    assert ring.held(path) is first
    now_s[0] += 0.1
    assert ring.held(path) is None
    assert ring.load(path).algorithm == b"ed25519-sha256"
    path.chmod(0o644)
    now_s[0] += 1.0
    with pytest.raises(KeyTrouble):
        ring.held(path)


def test_a_replaced_file_of_the_same_size_and_time_is_read_again(write, tmp_path):
    ring = KeyRing()
    path = write(pem(ed25519.Ed25519PrivateKey.generate()))
    other = write(pem(ed25519.Ed25519PrivateKey.generate()), "other.pem")
    first = ring.load(path)
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    other.replace(path)
    assert ring.load(path) is not first


def test_a_key_found_good_once_is_not_checked_again(write, rsa_pem, proved):
    ring, path = KeyRing(capacity=1), write(rsa_pem)
    ring.load(path)
    ring.load(write(pem(ed25519.Ed25519PrivateKey.generate()), "other.pem"))
    assert ring.held(path) is None
    ring.load(path)
    copy = shutil.copy2(path, path.with_name("copy.pem"))
    ring.load(path.with_name("copy.pem"))
    assert copy
    assert proved == [path, path.with_name("other.pem")]


def test_a_bad_key_is_never_taken_for_one_found_good(write, rsa_pem):
    ring, path = KeyRing(), write(corrupted(rsa_pem))
    for _ in range(2):
        with pytest.raises(KeyTrouble):
            ring.load(path)


@pytest.mark.parametrize("field", ["d", "dmp1", "dmq1", "iqmp"])
def test_a_key_whose_numbers_do_not_belong_together_signs_nothing(write, rsa_pem, field):
    found = load_pem_private_key(rsa_pem, None).private_numbers()
    names = ("p", "q", "d", "dmp1", "dmq1", "iqmp", "public_numbers")
    numbers = {name: getattr(found, name) for name in names}
    numbers[field] ^= 2
    try:
        bad = rsa.RSAPrivateNumbers(**numbers).private_key(unsafe_skip_rsa_key_validation=True)
    except ValueError:
        return  # the library has seen it already
    path = write(pem(bad))
    with pytest.raises(KeyTrouble):
        KeyRing().load(path)
    with pytest.raises(UnusableKey, match="holds no valid private key"):
        try_key(path)


def test_a_good_key_is_tried_in_less_time_than_it_is_read(write, rsa_pem, parsed):
    path = write(rsa_pem)
    assert try_key(path).algorithm == read_key(path).algorithm == b"rsa-sha256"
    assert parsed == [True, False]


def test_the_ring_keeps_the_last_used_keys_and_no_more(write):
    ring = KeyRing(capacity=2)
    paths = [write(pem(ed25519.Ed25519PrivateKey.generate()), f"{n}.pem") for n in range(3)]
    ring.load(paths[0])
    ring.load(paths[1])
    assert ring.held(paths[0])
    ring.load(paths[2])
    assert [ring.held(path) is not None for path in paths] == [True, False, True]


@pytest.mark.parametrize(
    "harm", ["remove", "open to all", "overwrite", "make a directory", "make a pipe"]
)
def test_trouble_names_the_file_in_the_log_and_nothing_to_the_client(write, rsa_pem, harm):
    ring, path = KeyRing(), write(rsa_pem)
    ring.load(path)
    if harm == "open to all":
        path.chmod(0o644)
    elif harm == "overwrite":
        path.write_bytes(b"?")
    else:
        path.unlink()
        if harm == "make a directory":
            path.mkdir(0o700)
        elif harm == "make a pipe":
            os.mkfifo(path, 0o600)
    with structlog.testing.capture_logs() as logged, pytest.raises(KeyTrouble) as caught:
        ring.load(path)
    assert str(path) in logged[0]["file"]
    assert logged[0]["log_level"] == "error"
    assert str(caught.value.reply()) == (
        "451 4.3.0 temporary local problem, please try again later"
    )


def test_a_private_key_is_not_in_its_repr(write, rsa_pem):
    assert "private" not in repr(read_key(write(rsa_pem)))
