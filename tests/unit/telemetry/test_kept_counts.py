"""Counts in a mapped file: only what the disk has room for is mapped, the rest waits."""

from __future__ import annotations

import errno

import pytest
from prometheus_client.mmap_dict import MmapedDict

from relay.telemetry import kept_counts
from relay.telemetry.kept_counts import FIRST_BYTES, KeptCounts


class Disk:
    """Stands in for `_grow`: may be full."""

    def __init__(self, monkeypatch):
        self.is_full = False
        self.grown = []
        self._grow = kept_counts._grow
        monkeypatch.setattr(kept_counts, "_grow", self.grow)

    def grow(self, descriptor, size):
        if self.is_full:
            raise OSError(errno.ENOSPC, "full")
        self.grown.append(size)
        self._grow(descriptor, size)


@pytest.fixture
def disk(monkeypatch):
    monkeypatch.setattr(kept_counts, "TRY_EVERY_S", 0.0)
    return Disk(monkeypatch)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "counter_1.db"


def held(path):
    """What the library reads from the file, as the supervisor does."""
    return {key: value for key, value, *_ in MmapedDict.read_all_values_from_file(str(path))}


def many(counts, until):
    """Enough keys for the file to grow."""
    for number in range(until):
        counts.write_value(f"{number}-{'k' * 300}", float(number), 0.0)


def test_it_holds_what_the_librarys_own_would(disk, path, tmp_path):
    ours, theirs = KeptCounts(str(path)), MmapedDict(str(tmp_path / "theirs"))
    for each in (ours, theirs):
        many(each, 700)
        each.write_value("0-" + "k" * 300, 77.0, 5.0)
        assert each.read_value("new") == (0.0, 0.0)
        each.close()
    assert held(path) == held(tmp_path / "theirs")
    assert path.stat().st_size == (tmp_path / "theirs").stat().st_size


def test_every_byte_that_is_mapped_was_written(disk, path):
    counts = KeptCounts(str(path))
    assert path.stat().st_size == FIRST_BYTES
    many(counts, 700)
    assert path.stat().st_blocks * 512 >= path.stat().st_size > FIRST_BYTES
    assert disk.grown[-1] == path.stat().st_size


def test_a_count_without_room_waits_and_is_put_down_when_there_is_some(disk, path):
    counts = KeptCounts(str(path))
    counts.write_value("early", 1.0, 0.0)
    disk.is_full = True
    many(counts, 700)
    counts.write_value("early", 2.0, 0.0)
    late = f"699-{'k' * 300}"
    assert counts.read_value(late) == (699.0, 0.0)
    assert late not in held(path)
    assert held(path)["early"] == 2.0
    disk.is_full = False
    counts.write_value(late, 700.0, 0.0)
    found = held(path)
    assert len(found) == 701
    assert found[late] == 700.0
    assert found[f"698-{'k' * 300}"] == 698.0


def test_one_that_begins_without_any_room_counts_in_memory_until_there_is(disk, path):
    disk.is_full = True
    counts = KeptCounts(str(path))
    counts.write_value("a", 1.0, 0.0)
    counts.write_value("b", 2.0, 0.0)
    assert path.stat().st_size == 0
    assert counts.read_value("a") == (1.0, 0.0)
    disk.is_full = False
    counts.write_value("a", 3.0, 0.0)
    assert held(path) == {"a": 3.0, "b": 2.0}
    assert path.stat().st_size == FIRST_BYTES


def test_while_the_disk_is_full_it_is_not_asked_at_every_count(disk, path, monkeypatch):
    counts = KeptCounts(str(path))
    many(counts, 100)
    monkeypatch.setattr(kept_counts, "TRY_EVERY_S", 3600.0)
    asked = []
    monkeypatch.setattr(kept_counts, "_grow", lambda *_: asked.append(1) or disk.grow(0, 0))
    disk.is_full = True
    many(counts, 700)
    assert len(asked) == 1


def test_a_worker_that_was_killed_counts_on_from_the_file(disk, path):
    before = KeptCounts(str(path))
    many(before, 3)
    again = KeptCounts(str(path))
    assert again.read_value(f"2-{'k' * 300}") == (2.0, 0.0)
    again.write_value(f"2-{'k' * 300}", 9.0, 0.0)
    assert len(held(path)) == 3


def test_a_file_that_cannot_grow_whole_is_left_as_it_was(path, monkeypatch):
    path.write_bytes(b"x" * 10)
    writes = iter([5, OSError(errno.ENOSPC, "full")])

    def write(descriptor, data):
        result = next(writes)
        if isinstance(result, OSError):
            raise result
        return real(descriptor, data[:result])

    real = kept_counts.os.write
    monkeypatch.setattr(kept_counts.os, "write", write)
    with path.open("a+b") as file, pytest.raises(OSError, match="full"):
        kept_counts._grow(file.fileno(), 100)
    assert path.read_bytes() == b"x" * 10
