"""Tokens and their keyed hashes."""

import hashlib
import hmac
import re
import time
from base64 import b64decode

import pytest

from relay.settings.tokens import DUMMY_SECRET, hash_token, is_secret, new_token, verify_token


def test_a_token_is_256_random_bits_behind_a_prefix():
    tokens = {new_token() for _ in range(100)}

    assert len(tokens) == 100
    assert all(re.fullmatch(r"wr_[A-Za-z0-9_-]{43}", token) for token in tokens)


def test_a_secret_is_the_hmac_of_the_token_under_its_own_key():
    secret = hash_token("wr_x")
    kind, key, digest = secret.split("$")

    assert kind == "hmac-sha256"
    assert len(b64decode(key)) == 32
    assert b64decode(digest) == hmac.new(b64decode(key), b"wr_x", hashlib.sha256).digest()
    assert hash_token("wr_x") != secret


def test_a_token_is_verified_against_its_own_secret_only():
    token = new_token()

    assert verify_token(token, hash_token(token))
    assert not verify_token(token, hash_token(new_token()))
    assert not verify_token(token + "x", hash_token(token))
    assert not verify_token("", hash_token(token))


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "hunter2",
        "$$",
        "hmac-sha256$$",
        "hmac-sha256$QQ==$QQ==",
        "md5" + hash_token("x")[11:],
        hash_token("x") + "$",
        hash_token("x")[:-4],
        "hmac-sha256$é$é",
        hash_token("x") + "\n",
    ],
    ids=range(10),  # the hashes are random, and every worker must collect the same names
)
def test_what_is_no_secret_verifies_nothing(secret):
    assert not is_secret(secret)
    assert not verify_token("x", secret)


@pytest.mark.parametrize("token", ["é", "\udcff", "a" * 100_000, "\x00"])
def test_a_strange_token_is_only_wrong(token):
    assert not verify_token(token, DUMMY_SECRET)
    assert verify_token(token, hash_token(token))


def test_the_secret_of_nobody_is_a_secret():
    assert is_secret(DUMMY_SECRET)


def test_verifying_takes_microseconds():
    token = new_token()
    secret = hash_token(token)
    started = time.perf_counter()
    for _ in range(1000):
        verify_token(token, secret)

    assert time.perf_counter() - started < 0.5
