"""The independent witness: what a scripted SMTP server has taken.

A message is in the ledger before its sender can hear of it: the line is written, with one
append, before the server answers 250. One JSON object per line: time (seconds since 1970),
mail_from, rcpts, message_id, size, sha256.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_MESSAGE_ID = re.compile(rb"^message-id:\s*(<[^>\r\n]*>)", re.IGNORECASE | re.MULTILINE)


@dataclass(slots=True)
class Received:
    """One message. `content` is without dot-stuffing; parameters are as they came.

    `is_cut`: the script ended the connection instead of answering the final dot.
    """

    connection: int
    mail_from: str
    mail_params: list[str] = field(default_factory=list)
    rcpts: list[str] = field(default_factory=list)
    rcpt_params: list[list[str]] = field(default_factory=list)
    content: bytes = b""
    time: float = 0.0
    is_cut: bool = False

    @property
    def message_id(self) -> str | None:
        """The first Message-ID of the header section."""
        found = _MESSAGE_ID.search(self.content.split(b"\r\n\r\n", 1)[0])
        return found[1].decode("utf-8", "replace") if found else None

    @property
    def sha256(self) -> str:
        """Of the content."""
        return hashlib.sha256(self.content).hexdigest()

    def line(self) -> bytes:
        """The ledger line."""
        entry = {
            "time": self.time,
            "mail_from": self.mail_from,
            "rcpts": self.rcpts,
            "message_id": self.message_id,
            "size": len(self.content),
            "sha256": self.sha256,
        }
        return json.dumps(entry).encode() + b"\n"


@dataclass(slots=True)
class Ledger:
    """Where messages are noted: always in `messages`, and in files where they are named.

    `dropped` are those that the script neither took nor refused: it cut them off when their
    content had come, or part of it, so that their sender cannot know.
    """

    file: Path | None = None
    store: Path | None = None
    messages: list[Received] = field(default_factory=list)
    dropped: list[Received] = field(default_factory=list)

    def note(self, message: Received) -> None:
        """Take `message`; it is on record when this returns."""
        message.time = time.time()
        if self.store:
            self.store.mkdir(parents=True, exist_ok=True)
            name = f"{time.time_ns()}.{os.getpid()}.{len(self.messages)}.eml"
            (self.store / name).write_bytes(message.content)
        if self.file:
            _append(self.file, message.line())
        self.messages.append(message)


def _append(file: Path, line: bytes) -> None:
    # One O_APPEND write: lines of several servers never mix, and a killed server loses none.
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        written = os.write(descriptor, line)
    finally:
        os.close(descriptor)
    if written != len(line):
        raise OSError(f"wrote {written} of {len(line)} bytes to {file}")


def entries(file: Path) -> Iterator[dict[str, object]]:
    """The whole lines of a ledger file; none if there is no such file yet.

    What is being appended may be seen up to a page's end: it counts when its line end is there.
    """
    if file.exists():
        for line in file.read_bytes().splitlines(keepends=True):
            if line.endswith(b"\n"):
                yield json.loads(line)
