"""Our relaxed canonicalisation against dkimpy's, on 10,000 messages and more.

dkimpy differs from RFC 6376 in two places that no message over SMTP gets to: it keeps white
space at the end of a last line without CRLF, and strips other white space (VT, FF) off header
values. The strategies leave those two out; `tests/unit/signing/test_canonical.py` has them.
"""

from __future__ import annotations

import pytest
from dkim.canonicalization import Relaxed
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.core.mail.header import parse_fields
from relay.signing.canonical import CHUNK_BYTES, relaxed_body, relaxed_field
from tests.harness.examples import examples

PIECES = [
    b"a",
    b"word",
    b" ",
    b"  ",
    b"\t",
    b"\r\n",
    b"\r\n\r\n",
    b" \r\n",
    b".",
    b"\xe9",
    b"\0",
    b"\x0c",
]
BODIES = st.lists(st.sampled_from(PIECES), max_size=40).map(
    lambda pieces: b"".join(pieces) + b"\r\n" if pieces else b""
)
LENGTHS = st.integers(1, CHUNK_BYTES)
VALUES = st.lists(
    st.sampled_from([b"a", b"word", b" ", b"\t", b"\r\n ", b"\r\n\t", b":", b"\xe9", b"\0"]),
    max_size=30,
).map(b"".join)


def same_as_dkimpy(body: bytes, chunk_bytes: int) -> bool:
    ours = b"".join(relaxed_body(memoryview(body), chunk_bytes))
    return ours == Relaxed.canonicalize_body(body)


@settings(max_examples=examples(5000), deadline=None)
@given(BODIES, st.integers(1, 12))
def test_bodies_are_the_same_as_dkimpys_at_any_chunk_size(body, chunk_bytes):
    assert same_as_dkimpy(body, chunk_bytes)


@settings(max_examples=examples(1000), deadline=None)
@given(st.binary(max_size=300), st.integers(1, 20))
def test_bodies_of_any_bytes_are_the_same_as_dkimpys(noise, chunk_bytes):
    assert same_as_dkimpy(noise.replace(b"\r", b" ") + b"\r\n", chunk_bytes)


@settings(max_examples=examples(4000), deadline=None)
@given(VALUES)
def test_fields_are_the_same_as_dkimpys(value):
    ((name, theirs),) = Relaxed.canonicalize_headers([[b"X-Name", value + b"\r\n"]])
    assert relaxed_field(b"x-name", value) == name + b":" + theirs
    ((parsed_name, parsed, _, _),) = parse_fields(b"X-Name:" + value + b"\r\n")
    assert relaxed_field(parsed_name, parsed) == name + b":" + theirs


RUNS = st.one_of(
    # dkimpy's time is quadratic in a run of white space: long ones come without a space.
    st.tuples(st.sampled_from([piece for piece in PIECES if not piece.isspace()]), LENGTHS),
    st.tuples(st.just(b"\r\n"), LENGTHS),
    st.tuples(st.sampled_from(PIECES), st.integers(1, 60)),
)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.lists(RUNS, min_size=1, max_size=8))
def test_long_bodies_are_the_same_as_dkimpys_at_the_real_chunk_size(runs):
    body = b"".join(piece * count for piece, count in runs)[: 4 * CHUNK_BYTES] + b"\r\n"
    assert same_as_dkimpy(body.replace(b"\r\r\n", b"\r\n"), CHUNK_BYTES)
