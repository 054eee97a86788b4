from __future__ import annotations

import time
import tracemalloc
from base64 import b64encode
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.signing.canonical import CHUNK_BYTES, body_hash, relaxed_body, relaxed_field


def relaxed(body: bytes, chunk_bytes: int = CHUNK_BYTES) -> bytes:
    return b"".join(relaxed_body(memoryview(body), chunk_bytes))


def hashed(body: bytes, chunk_bytes: int = CHUNK_BYTES) -> bytes:
    return body_hash(memoryview(body), sha256(body).digest(), chunk_bytes)


def test_the_example_of_rfc_6376():
    # RFC 6376 §3.4.5
    assert relaxed_field(b"a", b" X") == b"a:X\r\n"
    assert relaxed_field(b"b", b" Y\t\r\n\tZ  ") == b"b:Y Z\r\n"
    assert relaxed(b" C \r\nD \t E\r\n\r\n\r\n") == b" C\r\nD E\r\n"


def test_the_body_hash_of_rfc_8463():
    # RFC 8463 Appendix A.3
    body = b"Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n"
    assert b64encode(hashed(body)) == b"2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8="


def test_the_hash_of_an_empty_body():
    # RFC 6376 §3.4.4: the null body is the empty string
    empty = b"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    for body in (b"", b"\r\n", b"\r\n" * 9, b" \t\r\n \r\n", b" "):
        assert b64encode(hashed(body)) == empty


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"", b""),
        (b" \t ", b""),
        (b"\r\n ", b""),
        (b" a\r\n\tb", b"a b"),
        (b"a\r\n b \r\n  c\t", b"a b c"),
        (b"a\x0b \x0c b\xa0", b"a\x0b \x0c b\xa0"),
        (b"\x0ca\x0b", b"\x0ca\x0b"),
    ],
)
def test_a_field_value_is_unfolded_and_single_spaced(value, expected):
    assert relaxed_field(b"x", value) == b"x:" + expected + b"\r\n"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"no line end", b"no line end\r\n"),
        (b"no line end \t", b"no line end\r\n"),
        (b"\r\n\r\na", b"\r\n\r\na\r\n"),
        (b"a\r\n \r\n\t\r\nb \r\n\r\n", b"a\r\n\r\n\r\nb\r\n"),
        (b"a\x0b \x0c\r\n", b"a\x0b \x0c\r\n"),
        (b"a\r\n\r\n\r", b"a\r\n\r\n\r\r\n"),
        (b"a\r \nb", b"a\r \nb\r\n"),
    ],
)
def test_a_body_is_the_same_however_it_is_cut(body, expected):
    for chunk_bytes in range(1, len(body) + 2):
        assert relaxed(body, chunk_bytes) == expected


LARGE = {
    "text": b"All work and no play makes Jack.\r\n" * 300_000,
    "text with runs of spaces": b"a  b \r\n" * 1_500_000,
    "spaces": b" " * 10_000_000,
    "spaces and a letter": b"a" + b" " * 10_000_000 + b"b",
    "empty lines": b"\r\n" * 5_000_000,
    "empty lines and a letter": b"\r\n" * 5_000_000 + b"a",
    "spaced empty lines": b" \r\n" * 3_000_000 + b"a",
    "tabs and spaces": b" \t" * 5_000_000,
    "carriage returns": b"\r" * 10_000_000,
    "one line": b"x" * 10_000_000,
}


@pytest.mark.parametrize("body", LARGE.values(), ids=LARGE.keys())
def test_ten_megabytes_take_linear_time_and_memory_of_a_few_chunks(body):
    started = time.process_time()
    hashed(body)
    assert time.process_time() - started < 4
    part = memoryview(body)[: 60 * CHUNK_BYTES]
    tracemalloc.start()
    body_hash(part, sha256(part).digest())
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 8 * CHUNK_BYTES


def test_no_part_is_much_longer_than_a_chunk():
    for body in LARGE.values():
        assert max(map(len, relaxed_body(memoryview(body))), default=0) <= CHUNK_BYTES + 2


def test_the_hash_is_that_of_the_parts():
    body = b"a \t b\r\n" * 50_000
    assert hashed(body) == sha256(b"a b\r\n" * 50_000).digest()


@given(st.text(" \t\r\nab.", max_size=60), st.integers(1, 9))
def test_what_is_hashed_is_the_relaxed_form_whatever_of_it_is_unchanged(text, chunk_bytes):
    body = text.replace("\n", "\r\n").encode()
    assert hashed(body, chunk_bytes) == sha256(relaxed(body)).digest()


@given(st.lists(st.sampled_from([b"a b", b"", b"c", b" d"]), max_size=20), st.integers(3, 20))
def test_a_body_without_anything_to_change_is_not_hashed_again(lines, chunk_bytes):
    body = b"".join(line + b"\r\n" for line in [*lines, b"e"])
    assert relaxed(body) == body
    own = body_hash(memoryview(body), b"its own", chunk_bytes)
    assert own in {b"its own", sha256(body).digest()}
    assert body_hash(memoryview(body), b"its own") == b"its own"


@pytest.mark.parametrize("change", [b"\t", b"  ", b" \r\n", b"\r\n\r\n"])
@pytest.mark.parametrize("chunks", [1, 2, 3])
def test_a_change_at_the_seams_of_a_large_body_is_hashed(change, chunks):
    for before in range(chunks * CHUNK_BYTES - 4, chunks * CHUNK_BYTES + 4):
        body = b"x" * before + change + b"y\r\n"
        assert hashed(body) == sha256(relaxed(body)).digest()
        end = b"x" * before + change
        assert hashed(end) == sha256(relaxed(end)).digest()
