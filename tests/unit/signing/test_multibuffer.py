"""The library itself where the processor can run it; elsewhere, that nobody takes it up."""

from __future__ import annotations

import ctypes
import random
from ctypes.util import find_library
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateNumbers,
    generate_private_key,
    rsa_crt_iqmp,
)
from cryptography.hazmat.primitives.hashes import SHA256

from relay.signing.multibuffer import LANES, Numbers, WrongSignature, open_multibuffer

FLAGS = Path("/proc/cpuinfo").read_text().split()
CAN = {"avx512ifma", "avx512_vbmi2"} <= {*FLAGS} or "avx_ifma" in FLAGS

needs_processor = pytest.mark.skipif(
    not CAN, reason="this processor has neither AVX-512 IFMA nor AVX-IFMA"
)


@pytest.fixture(scope="module")
def keys():
    return [generate_private_key(65537, 2048) for _ in range(LANES)]


@pytest.fixture
def library():
    return open_multibuffer()


def alone(key, data):
    return key.sign(data, PKCS1v15(), SHA256())


def test_it_is_there_where_the_processor_can_run_it(library):
    assert (library is not None) == CAN


def test_what_is_not_there_is_not_used(tmp_path):
    (tmp_path / "text.so").write_text("no library")
    other = find_library("crypto") or "libc.so.6"
    for name in (str(tmp_path / "none.so"), str(tmp_path / "text.so"), other):
        assert open_multibuffer([name]) is None


@needs_processor
@pytest.mark.parametrize("count", range(1, LANES + 1))
def test_each_signature_is_the_one_that_openssl_makes(library, keys, count):
    numbers = [Numbers(key) for key in keys[:count]]
    data = [b"message %d" % at for at in range(count)]
    signed = library.sign(numbers, data)
    assert signed == [alone(key, one) for key, one in zip(keys, data, strict=False)]


@needs_processor
def test_one_key_signs_several_at_once_and_a_key_comes_in_any_lane(library, keys):
    chance = random.Random(7)
    numbers = [Numbers(key) for key in keys]
    for _ in range(50):
        lanes = chance.choices(range(len(keys)), k=chance.randint(1, LANES))
        data = [chance.randbytes(chance.randint(0, 5_000)) for _ in lanes]
        signed = library.sign([numbers[at] for at in lanes], data)
        assert signed == [alone(keys[at], one) for at, one in zip(lanes, data, strict=True)]


@needs_processor
def test_the_smaller_factor_may_come_first(library, keys):
    of = keys[0].private_numbers()
    turned = RSAPrivateNumbers(
        of.q, of.p, of.d, of.dmq1, of.dmp1, rsa_crt_iqmp(of.q, of.p), of.public_numbers
    ).private_key()
    for key in (keys[0], turned):
        assert library.sign([Numbers(key)], [b"x"]) == [alone(key, b"x")]


@needs_processor
@pytest.mark.parametrize("lane", [0, 5])
@pytest.mark.parametrize("number", range(5))
def test_a_signature_that_came_out_wrong_does_not_leave(library, keys, lane, number):
    numbers = [Numbers(key) for key in keys[:6]]
    ctypes.c_ubyte.from_address(numbers[lane].addresses[number] + 3).value ^= 4
    with pytest.raises(WrongSignature):
        library.sign(numbers, [b"x"] * 6)
    assert library.sign([Numbers(keys[0])], [b"x"]) == [alone(keys[0], b"x")]


@pytest.mark.parametrize(("exponent", "bits"), [(65537, 3072), (3, 2048)])
def test_other_keys_are_not_taken(exponent, bits):
    with pytest.raises(ValueError, match="another size"):
        Numbers(generate_private_key(exponent, bits))
