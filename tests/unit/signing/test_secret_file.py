"""A secret is read from the file that was looked at, not from what came to lie in its place."""

from pathlib import Path

import pytest

from relay.signing.secret_file import read_secret


class Unfit(Exception):
    """What the caller wants to be told."""


def test_a_private_file_is_read_up_to_a_bound(tmp_path):
    path = tmp_path / "secret"
    path.touch(0o600)
    path.write_bytes(b"twelve bytes")
    known, content = read_secret(path, 6, Unfit)
    assert (known.st_ino, content) == (path.stat().st_ino, b"twelve")


def test_one_that_was_put_in_its_place_meanwhile_is_looked_at_too(tmp_path, monkeypatch):
    fit, other = tmp_path / "fit", tmp_path / "other"
    fit.touch(0o600)
    other.touch()
    other.chmod(0o644)
    before = fit.stat()
    monkeypatch.setattr(Path, "stat", lambda _path: before)
    with pytest.raises(Unfit, match="other can be read or written by everybody"):
        read_secret(other, 6, Unfit)
