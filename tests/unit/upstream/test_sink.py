"""The witness itself: what the scripted upstream writes down must be what it took."""

from __future__ import annotations

import asyncio
import hashlib
import smtplib
import sys
import time
from pathlib import Path

import pytest

from tests.harness.ports import free_port, is_listening
from tests.harness.processes import Child
from tests.harness.smtp_ledger import Ledger, entries
from tests.harness.smtp_script import close, refuse, reset
from tests.harness.smtp_sink import Sink
from tests.harness.waiting import until

CONTENT = b"Subject: x\r\nMessage-ID: <id@x>\r\n\r\n.dot\r\n..\r\nend\r\n"


def send(port: int, *rcpts: str, content: bytes = CONTENT) -> None:
    """With the standard library's client, which shares no code with ours."""
    with smtplib.SMTP("127.0.0.1", port, timeout=5) as client:
        client.sendmail("from@x.example", list(rcpts), content)


async def test_the_line_is_there_when_the_sender_hears_of_it(tmp_path: Path):
    ledger = Ledger(tmp_path / "ledger", tmp_path / "kept")
    began = time.time()
    async with Sink(ledger=ledger) as sink:
        await asyncio.to_thread(send, sink.port, "a@x.example", "b@x.example")
        [entry] = entries(tmp_path / "ledger")
    assert began <= entry.pop("time") <= time.time()
    assert entry == {
        "mail_from": "from@x.example",
        "rcpts": ["a@x.example", "b@x.example"],
        "message_id": "<id@x>",
        "size": len(CONTENT),
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
    }
    [kept] = (tmp_path / "kept").iterdir()
    assert kept.read_bytes() == CONTENT


async def test_what_it_refuses_is_not_in_the_ledger_and_what_it_leaves_open_is(tmp_path: Path):
    ledger = Ledger(tmp_path / "ledger")
    async with Sink(ledger=ledger) as sink:
        sink.script.add("DOT", refuse("451 later").once(), reset().once(), close().once())
        for expected in (0, 1, 2):
            with pytest.raises((smtplib.SMTPException, OSError)):
                await asyncio.to_thread(send, sink.port, "a@x.example")
            assert len(list(entries(tmp_path / "ledger"))) == expected
        await asyncio.to_thread(send, sink.port, "a@x.example")
        assert len(list(entries(tmp_path / "ledger"))) == 3


def test_as_a_process_it_loses_nothing_when_it_is_killed(tmp_path: Path):
    port, ledger = free_port(), tmp_path / "ledger"
    command = [sys.executable, "-m", "tests.harness.smtp_sink", "--port", str(port)]
    command += ["--ledger", str(ledger), "--act", "RCPT=550 5.1.1 no", "--without", "DSN"]
    child = Child(command, tmp_path / "log", cwd=Path(__file__).parents[3])
    try:
        until(lambda: is_listening(port), "the sink to listen", detail=child.tail)
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            send(port, "refused@x.example")
    finally:
        child.end()
    child = Child(command[:-4], tmp_path / "log", cwd=Path(__file__).parents[3])
    try:
        until(lambda: is_listening(port), "the sink to listen", detail=child.tail)
        for number in range(3):
            send(port, f"r{number}@x.example")
        child.kill()
    finally:
        child.end()
    taken = [entry["rcpts"] for entry in entries(ledger)]
    assert taken == [["r0@x.example"], ["r1@x.example"], ["r2@x.example"]]


def test_it_starts_by_its_path_as_well(tmp_path: Path):
    script = Path(__file__).parents[2] / "harness" / "smtp_sink.py"
    port = free_port()
    child = Child([sys.executable, script, "--port", str(port)], tmp_path / "log", cwd=tmp_path)
    try:
        until(lambda: is_listening(port), "the sink to listen", detail=child.tail)
        send(port, "a@x.example")
        assert child.terminate() == 0
    finally:
        child.end()
