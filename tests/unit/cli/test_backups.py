"""`backup` into a file: whole or not at all, whoever else writes one."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TextIO

import pytest
import typer

from relay.cli import state


@pytest.fixture
def slowly(monkeypatch):
    """Backups of two lines; `between` is called between those of the first one."""
    between = []

    async def write(_config, out: TextIO) -> int:
        out.write("first\n")
        out.flush()
        if between:
            await asyncio.to_thread(between.pop())
        out.write("second\n")
        return 2

    monkeypatch.setattr(state, "load", lambda _option: None)
    monkeypatch.setattr(state, "_write", write)
    return between


def test_two_backups_into_one_file_at_once_are_both_whole(slowly, tmp_path):
    file, seen = tmp_path / "state", list[str]()

    def another() -> None:
        state.backup(file)
        seen.append(file.read_text())

    slowly.append(another)
    state.backup(file)

    assert [*seen, file.read_text()] == ["first\nsecond\n"] * 2
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("name", ["file/below", "none/below", "a" * 300])
def test_a_file_that_cannot_be_written_is_told(slowly, tmp_path: Path, name, capsys):
    (tmp_path / "file").write_text("")
    with pytest.raises(typer.Exit):
        state.backup(tmp_path / name)
    assert "cannot be written" in capsys.readouterr().err
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_a_pipe_is_written_to_and_stays_one(slowly, tmp_path):
    """As /dev/stdout is, where root would put a file in its place."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    (link := tmp_path / "link").symlink_to(pipe)
    end = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    state.backup(link)
    with os.fdopen(end) as read:
        assert read.read() == "first\nsecond\n"
    assert link.is_symlink()
    assert pipe.is_fifo()


def test_a_hyphen_is_standard_output_and_no_file(slowly, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    state.backup(Path("-"))
    assert capsys.readouterr().out == "first\nsecond\n"
    assert not list(tmp_path.iterdir())


def test_a_backup_that_breaks_off_leaves_the_one_before(slowly, tmp_path):
    file = tmp_path / "state"
    state.backup(file)

    def broken() -> None:
        raise KeyboardInterrupt

    slowly.append(broken)
    with pytest.raises(KeyboardInterrupt):
        state.backup(file)
    assert file.read_text() == "first\nsecond\n"
    assert list(tmp_path.iterdir()) == [file]
