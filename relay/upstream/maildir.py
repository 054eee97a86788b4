"""`ports.upstream.Upstream` that is a maildir on disk: for trying the relay out, and for tests.

One file per message holds all of its recipients, so a delivery is whole or not at all. It is
on disk, file and directory entry, before it is called taken.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from relay.core.config import MaildirUpstream
from relay.core.mail.message import Envelope, Outgoing, Recipient
from relay.core.reply import Reply
from relay.ports.upstream import Clearance, Handover, Outcome, Refusal, Taken, Unknown, Unreachable
from relay.upstream.observer import Observer

OFFERS: Final = frozenset({"8BITMIME", "SMTPUTF8", "PIPELINING", "SIZE", "ENHANCEDSTATUSCODES"})
DISK_S: Final = 60.0
"""How long the disk may take for one message."""

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9._-]")
_serial = itertools.count(1)


class Maildir:
    """See `ports.upstream.Upstream`. tmp/, new/ and cur/ are created when they are first needed."""

    def __init__(self, config: MaildirUpstream, hostname: str, observer: Observer) -> None:
        self._config = config
        self._hostname = hostname
        self._observer = observer

    @property
    def name(self) -> str:
        """See `ports.upstream.Upstream`."""
        return self._config.name

    @property
    def offers(self) -> frozenset[str] | None:
        """See `ports.upstream.Upstream`."""
        return OFFERS

    async def deliver(self, message: Outgoing, cleared: Clearance | None = None) -> Outcome:
        """See `ports.upstream.Upstream`. A cancelled call may still store the message."""
        if cleared:
            await cleared()
        try:
            async with asyncio.timeout(DISK_S):
                outcome = await asyncio.to_thread(self._store, message)
        except TimeoutError:
            return Unknown(f"{self.name}: the disk did not answer within {DISK_S:g} s")
        if isinstance(outcome, Taken):
            self._observer.reply(self.name, outcome.answer)
        return outcome

    async def begin(self, envelope: Envelope) -> Handover | Refusal:  # noqa: ARG002
        """See `ports.upstream.Upstream`: nothing is open before the message is there."""
        return MaildirHandover(self)

    async def probe(self) -> str | None:
        """See `ports.upstream.Upstream`: whether the directories can be made, and written."""
        try:
            async with asyncio.timeout(DISK_S):
                return await asyncio.to_thread(self._examine)
        except TimeoutError:
            return f"{self._config.path}: the disk did not answer within {DISK_S:g} s"

    async def close(self) -> None:
        """See `ports.upstream.Upstream`: nothing is open between deliveries."""

    def _store(self, message: Outgoing) -> Outcome:
        path = self._config.path
        name = unique_name(message.ref, self._hostname)
        temporary, final = path / "tmp" / name, path / "new" / name
        try:
            _make_directories(path)
            _write(temporary, message)
            temporary.rename(final)
        except OSError as error:
            with suppress(OSError):
                temporary.unlink()
            return Unreachable(f"{self.name}: {error}")
        try:
            _sync_directory(final.parent)
        except OSError as error:
            return Unknown(f"{self.name}: stored as {name}, but {error}")
        return Taken(Reply(250, "0.0", f"Ok: stored as {name}"))

    def _examine(self) -> str | None:
        path = self._config.path
        try:
            _make_directories(path)
        except OSError as error:
            return str(error)
        closed = [part for part in _parts(path) if not os.access(part, os.W_OK | os.X_OK)]
        return f"{closed[0]}: not writable" if closed else None


class MaildirHandover:
    """See `ports.upstream.Handover`. A directory takes every recipient."""

    def __init__(self, maildir: Maildir) -> None:
        self._maildir = maildir
        self._is_over = False

    async def recipient(self, recipient: Recipient) -> Reply | Refusal:  # noqa: ARG002
        """See `ports.upstream.Handover`."""
        return self._over() or Reply(250, "1.5", "Recipient ok")

    async def send(self, message: Outgoing) -> Outcome:
        """See `ports.upstream.Handover`."""
        refusal, self._is_over = self._over(), True
        return refusal or await self._maildir.deliver(message)

    async def abort(self) -> None:
        """See `ports.upstream.Handover`."""
        self._is_over = True

    def _over(self) -> Unreachable | None:
        return Unreachable("the transaction is over") if self._is_over else None


def unique_name(ref: str, hostname: str) -> str:
    """A file name as https://cr.yp.to/proto/maildir.html has it: time.unique.host.

    The unique part is microseconds, process and serial number, and the reference id.
    """
    seconds, rest = divmod(time.time_ns(), 1_000_000_000)
    marks = f"M{rest // 1000:06}P{os.getpid()}Q{next(_serial)}R{_NOT_IN_NAMES.sub('_', ref)}"
    host = _NOT_IN_NAMES.sub("_", hostname) or "localhost"
    return f"{seconds}.{marks.replace('.', '_')}.{host}"


def envelope_lines(envelope: Envelope) -> bytes:
    """The envelope as header lines; no address can add a line of its own."""
    lines = [f"Return-Path: <{envelope.mail_from}>"]
    lines += [f"X-Envelope-To: {recipient.address}" for recipient in envelope.recipients]
    clean = [_CONTROL.sub("?", line) + "\r\n" for line in lines]
    return "".join(clean).encode("utf-8", "replace")


def _write(file: Path, message: Outgoing) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(envelope_lines(message.envelope))
        stream.write(message.head)
        stream.write(message.body)
        stream.flush()
        os.fsync(stream.fileno())


def _parts(path: Path) -> tuple[Path, ...]:
    return tuple(path / part for part in ("tmp", "new", "cur"))


def _make_directories(path: Path) -> None:
    missing = [part for part in _parts(path) if not part.is_dir()]
    for part in missing:
        part.mkdir(mode=0o700, parents=True, exist_ok=True)
    if missing:
        _sync_directory(path)
        _sync_directory(path.parent)


def _sync_directory(path: Path) -> None:
    """A new name in a directory survives a power cut only once the directory is synced."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
