"""What was read of a config before: taken back whole and one's own, or not at all."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from relay.settings.large import kept as room
from relay.settings.large.kept import LOCK, NAME, Kept, code_mark

ENTRIES = {b"a" * 16: b"first", b"b" * 16: b"", b"c" * 16: b"x" * 1000}


@pytest.fixture
def kept(tmp_path):
    kept = Kept(tmp_path)
    kept.write(ENTRIES)
    return kept


def test_what_was_kept_is_there_again_for_its_owner_alone(kept, tmp_path):
    assert kept.read() == ENTRIES
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == [NAME]


def test_what_is_kept_next_takes_its_place(kept):
    kept.write({b"d" * 16: b"other"})

    assert kept.read() == {b"d" * 16: b"other"}


@pytest.mark.parametrize("at", [0, 31, 32, 40, 60, 500, -1])
def test_a_byte_that_changed_makes_all_of_it_nothing(kept, tmp_path, at):
    content = bytearray((tmp_path / NAME).read_bytes())
    content[at] ^= 1
    (tmp_path / NAME).write_bytes(content)

    assert kept.read() == {}


@pytest.mark.parametrize("length", [0, 1, 31, 32, 33, 100])
def test_so_does_an_end_that_is_missing(kept, tmp_path, length):
    content = (tmp_path / NAME).read_bytes()
    (tmp_path / NAME).write_bytes(content[:length])

    assert kept.read() == {}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o602, 0o660])
def test_a_file_that_is_open_to_others_is_not_believed(kept, tmp_path, mode):
    (tmp_path / NAME).chmod(mode)

    assert kept.read() == {}


def test_nor_one_that_somebody_else_made(kept, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)

    assert kept.read() == {}


def test_nor_one_that_is_elsewhere(kept, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / NAME).rename(tmp_path / "elsewhere" / NAME)
    (tmp_path / NAME).symlink_to(tmp_path / "elsewhere" / NAME)

    assert kept.read() == {}


def test_nor_one_that_is_too_large(kept, monkeypatch):
    monkeypatch.setattr(room, "MAX_BYTES", 100)

    assert kept.read() == {}
    kept.write({b"d" * 16: b"x" * 100})
    monkeypatch.setattr(room, "MAX_BYTES", 10_000)
    assert kept.read() == ENTRIES


def test_where_there_is_no_directory_nothing_happens(tmp_path):
    kept = Kept(tmp_path / "none")
    kept.write(ENTRIES)
    with kept.turn():
        assert kept.read() == {}

    assert not (tmp_path / "none").exists()


def test_a_full_disk_leaves_what_was_there(kept, tmp_path, monkeypatch):
    def full(_self, _target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(tmp_path), "replace", full)
    kept.write({b"d" * 16: b"other"})

    assert kept.read() == ENTRIES
    assert [each.name for each in tmp_path.iterdir()] == [NAME]


def test_readers_take_turns_and_nobody_waits_for_ever(kept, tmp_path, monkeypatch):
    inside, most = [], []

    def reader(_number):
        with Kept(tmp_path).turn():
            inside.append(1)
            most.append(len(inside))
            os.sched_yield()
            inside.pop()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(reader, range(20)))
    assert max(most) == 1
    monkeypatch.setattr(room, "TURN_S", 0.1)
    with kept.turn(), Kept(tmp_path).turn():
        most.append(2)
    assert most[-1] == 2
    assert (tmp_path / LOCK).stat().st_mode & 0o777 == 0o600


def test_other_code_has_another_mark(tmp_path, monkeypatch):
    before = code_mark()
    assert code_mark() == before
    monkeypatch.setattr(room.relay, "__version__", "0.0.0-other")

    assert code_mark() != before


def test_a_file_of_a_room_within_a_room_is_code_too(tmp_path, monkeypatch):
    for folder in ("core", "settings/yaml"):
        (tmp_path / folder).mkdir(parents=True)
    inner = tmp_path / "settings/yaml/builder.py"
    inner.write_text("one = 1\n")
    monkeypatch.setattr(room.relay, "__file__", str(tmp_path / "__init__.py"))
    before = code_mark()
    inner.write_text("one = 11\n")

    assert code_mark() != before
