"""Reference ids: unique, sorted by time, and letters and digits only."""

from __future__ import annotations

from base64 import b32hexdecode
from datetime import UTC, datetime, timedelta

from relay.edge.refs import new_ref

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)


def test_an_id_is_its_time_and_forty_random_bits_in_base_32():
    ref = new_ref(NOW)
    assert len(ref) == 16
    told = b32hexdecode(ref.upper())
    assert int.from_bytes(told[:5]) == int(NOW.timestamp() * 1000) & 0xFF_FFFF_FFFF


def test_ids_sort_by_time_and_none_comes_twice():
    refs = [new_ref(NOW + timedelta(milliseconds=number)) for number in range(1000)]
    assert refs == sorted(refs)
    assert len({new_ref(NOW) for _ in range(1000)}) == 1000
