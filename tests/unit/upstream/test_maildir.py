from __future__ import annotations

import asyncio
import mailbox
import os
import threading
from pathlib import Path

import pytest

from relay.core.config import MaildirUpstream
from relay.core.mail.message import Recipient
from relay.ports.upstream import Taken, Unknown, Unreachable, Upstream
from relay.upstream.build import open_upstream
from relay.upstream.maildir import unique_name
from tests.unit.upstream.given import HEAD, Counting, outgoing


def opened(path: Path, observer: Counting | None = None) -> Upstream:
    return open_upstream(MaildirUpstream("box", path), "relay.example", observer or Counting())


def files(path: Path, part: str = "new") -> list[Path]:
    return sorted((path / part).iterdir()) if (path / part).exists() else []


async def test_a_message_is_one_file_for_all_recipients_with_the_envelope_on_top(tmp_path: Path):
    box = tmp_path / "deep" / "box"
    counting = Counting()
    up = opened(box, counting)
    body = b"\r\n.dots stay\r\n..as they are\r\n\xff\r\n"
    outcome = await up.deliver(outgoing("a@x.example", "b@x.example", body=body))
    assert isinstance(outcome, Taken)
    [file] = files(box)
    assert file.read_bytes() == (
        b"Return-Path: <bounce@news.example>\r\n"
        b"X-Envelope-To: a@x.example\r\n"
        b"X-Envelope-To: b@x.example\r\n" + HEAD + body
    )
    assert str(outcome.answer) == f"250 2.0.0 Ok: stored as {file.name}"
    assert files(box, "tmp") == []
    assert file.stat().st_mode & 0o777 == 0o600
    assert counting.replies == [("box", outcome.answer)]


async def test_the_python_mailbox_module_can_read_it(tmp_path: Path):
    await opened(tmp_path / "box").deliver(outgoing(mail_from=""))
    [message] = mailbox.Maildir(str(tmp_path / "box"), create=False)
    assert message["Return-Path"] == "<>"
    assert message["Subject"] == "hi"


async def test_names_are_unique_and_hold_the_reference(tmp_path: Path):
    up = opened(tmp_path)
    outcomes = await asyncio.gather(*(up.deliver(outgoing()) for _ in range(100)))
    assert all(isinstance(outcome, Taken) for outcome in outcomes)
    names = [file.name for file in files(tmp_path)]
    assert len(names) == 100
    assert all("RREF123" in name and name.endswith(".relay.example") for name in names)


@pytest.mark.parametrize("ref", ["../../etc/passwd", "a/b", "a:2,S", "x\x00y", "ü", ""])
def test_no_reference_can_leave_the_directory(ref: str):
    name = unique_name(ref, "host/../with:odd")
    assert not set(name) & set("/:\x00")
    assert name.isascii()
    assert not name.startswith(".")


async def test_no_address_can_add_a_line(tmp_path: Path):
    up = opened(tmp_path)
    evil = "a@x.example\r\nBcc: b@x.example\r\n\r\nbody"
    await up.deliver(
        outgoing(Recipient(evil), "ü@x.example", "bad\udcff@x.example", mail_from=evil)
    )
    [file] = files(tmp_path)
    top = file.read_bytes().removesuffix(HEAD + b"\r\nHello.\r\n").split(b"\r\n")
    assert [line.split(b":")[0] for line in top] == [b"Return-Path", *[b"X-Envelope-To"] * 3, b""]
    assert "ü@x.example".encode() in top[2]


async def test_what_it_offers_is_known_from_the_start(tmp_path: Path):
    up = opened(tmp_path)
    assert up.name == "box"
    assert {"8BITMIME", "SMTPUTF8", "PIPELINING", "SIZE"} <= (up.offers or frozenset())
    await up.close()


async def test_the_file_is_synced_before_it_is_named_and_the_name_before_it_is_taken(
    tmp_path: Path, monkeypatch
):
    done: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def noting_fsync(descriptor: int) -> None:
        done.append("sync " + Path(f"/proc/self/fd/{descriptor}").readlink().parent.name)
        fsync(descriptor)

    def noting_rename(self: Path, target: Path) -> Path:
        done.append("rename")
        return rename(self, target)

    up = opened(tmp_path / "box")
    assert await up.probe() is None
    monkeypatch.setattr(os, "fsync", noting_fsync)
    monkeypatch.setattr(Path, "rename", noting_rename)
    assert isinstance(await up.deliver(outgoing()), Taken)
    assert done == ["sync tmp", "rename", "sync box"]


def failing(error: OSError, at: int):
    calls = iter(range(1000))

    def fsync(_: int) -> None:
        if next(calls) == at:
            raise error

    return fsync


FULL = OSError(28, "No space left on device")


async def test_a_full_disk_is_unreachable_and_leaves_nothing(tmp_path: Path, monkeypatch):
    up = opened(tmp_path)
    assert await up.probe() is None
    monkeypatch.setattr(os, "fsync", failing(FULL, at=0))
    outcome = await up.deliver(outgoing())
    assert isinstance(outcome, Unreachable)
    assert "No space left" in outcome.why
    assert files(tmp_path, "tmp") == files(tmp_path, "new") == []


async def test_a_directory_that_cannot_be_synced_is_unknown(tmp_path: Path, monkeypatch):
    up = opened(tmp_path)
    assert await up.probe() is None
    monkeypatch.setattr(os, "fsync", failing(FULL, at=1))
    assert isinstance(await up.deliver(outgoing()), Unknown)
    assert len(files(tmp_path)) == 1


async def test_a_disk_that_really_refuses_the_bytes_is_unreachable(tmp_path: Path, monkeypatch):
    """Every file opened is /dev/full: the kernel itself says that there is no space."""
    really_open = os.open

    def open_full(path: Path, flags: int, mode: int = 0o777) -> int:
        if not flags & os.O_CREAT:
            return really_open(path, flags, mode)
        os.close(really_open(path, flags, mode))
        return really_open("/dev/full", os.O_WRONLY)

    up = opened(tmp_path)
    monkeypatch.setattr(os, "open", open_full)
    outcome = await up.deliver(outgoing(body=b"x" * 3_000_000))
    assert isinstance(outcome, Unreachable)
    assert "No space left" in outcome.why
    assert files(tmp_path, "tmp") == files(tmp_path, "new") == []


@pytest.mark.parametrize("obstacle", ["file", "dangling"])
async def test_a_path_that_cannot_be_a_directory_is_unreachable(tmp_path: Path, obstacle: str):
    path = tmp_path / "box"
    if obstacle == "file":
        path.write_text("in the way")
    else:
        path.symlink_to(tmp_path / "nowhere" / "at" / "all")
        (tmp_path / "nowhere").write_text("in the way")
    up = opened(path)
    assert isinstance(await up.deliver(outgoing()), Unreachable)
    assert await up.probe()


async def test_a_disk_that_hangs_is_unknown_after_its_deadline(tmp_path: Path, monkeypatch):
    released = threading.Event()
    monkeypatch.setattr("relay.upstream.maildir.DISK_S", 0.1)
    monkeypatch.setattr(os, "fsync", lambda _: released.wait(5))
    up = opened(tmp_path)
    try:
        assert isinstance(await up.deliver(outgoing()), Unknown)
        assert "did not answer" in (await opened(tmp_path / "other").probe() or "")
    finally:
        released.set()


async def test_the_loop_is_not_held_up(tmp_path: Path, monkeypatch):
    released = threading.Event()
    monkeypatch.setattr(os, "fsync", lambda _: released.wait(5))
    delivery = asyncio.create_task(opened(tmp_path).deliver(outgoing()))
    await asyncio.sleep(0.05)
    assert not delivery.done()
    released.set()
    assert isinstance(await delivery, Taken)
