"""A whole SMTP session over a transport that is not there, with real classification behind it.

The first byte says how the rest is cut into packets. Time does not pass: whatever waits, waits
no longer than the loop takes to get there.
"""

from __future__ import annotations

import asyncio
import logging
import re
import selectors
from typing import Any

from relay.core.config import Limits, Listener
from relay.core.mail.classify import check_reverse_path, classify
from relay.core.mail.message import Client, Submission
from relay.core.reply import Reply
from relay.core.tenants.tenancy import Credential, Tenant, directory_of
from relay.edge.memory import Memory
from relay.edge.roster import Roster
from relay.edge.session import Session
from relay.edge.surroundings import Door, Surroundings
from relay.ports.relay import Accepted, Hears
from tests.corpus import DOMAIN
from tests.corpus.submissions import DIRECTORY, EVIL, sending_domain
from tests.unit.edge.house import FixedClock, FixedSettings
from tests.unit.edge.recording import RecordingObserver, RecordingRelay

_MAIL = f"MAIL FROM:<a@{DOMAIN}>\r\nRCPT TO:<b@receiver.example>\r\nDATA\r\n".encode()
_BODY = f"From: a@{DOMAIN}\r\n\r\n".encode()
_HI = b"EHLO x\r\nAUTH PLAIN AGFjbWUAcmlnaHQ=\r\n"
SEEDS = (
    b"\0" + _HI + _MAIL + _BODY + b"x\r\n.\r\nQUIT\r\n",
    b"\1" + _HI + _MAIL + _BODY + b"x\r\n..\r\n.\r\n" + _MAIL + _BODY + b".\r\n",
    b"\2" + _HI + _MAIL + _BODY + b"x\n.\r\n" + _MAIL + b"y\r\n.\r\n",
    b"\3HELO x\r\nMAIL FROM:<>\r\nRSET\r\nNOOP\r\nVRFY a\r\nHELP\r\nEXPN a\r\nSTARTTLS\r\n",
    b"\4" + _HI + b"MAIL FROM:<a@evil.example> SIZE=1 BODY=8BITMIME SMTPUTF8\r\n",
    b"\5" + _HI + b'MAIL FROM:<> RET=FULL ENVID=x\r\nRCPT TO:<"a b"@c.d> NOTIFY=NEVER\r\nDATA\r\n',
    b"\6EHLO x\r\nAUTH LOGIN\r\nYWNtZQ==\r\ncmlnaHQ=\r\nMAIL FROM:<@a,@b:c@d>\r\n",
    b"\7GET / HTTP/1.1\r\nHost: x\r\n\r\n",
)
DICTIONARY = (
    b"\r\n.\r\n", b"\n.\n", b"\r.\r", b"MAIL FROM:<", b"RCPT TO:<", b"DATA\r\n", b"RSET\r\n",
    b"EHLO ", b"AUTH PLAIN ", b"AUTH LOGIN", b" SMTPUTF8", b" SIZE=", b" NOTIFY=", b" ORCPT=rfc822;",
    b"BDAT 5 LAST\r\n", b"STARTTLS\r\n", b"QUIT\r\n", b"From: ", b"\r\n\r\n", b"@news.acme.example",
)  # fmt: skip
_LINE = re.compile(rb"[2-5][0-9]{2}[ -][\x20-\x7e]*\r\n|[2-5][0-9]{2}\r\n")
_REF = re.compile(rb"\[[0-9a-v]{16}\]")
_MOST_TURNS = 20_000

OWN = Tenant(
    "acme",
    credentials=(Credential("acme", "secret"),),
    domains=(sending_domain(DOMAIN),),
)
_DIRECTORY = directory_of([OWN, EVIL])
assert DIRECTORY.domains.keys() >= {DOMAIN}


class _NoTime(selectors.DefaultSelector):
    """Instead of waiting, time is moved on by as much as would have been waited."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0
        self.turns = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.turns += 1
        assert self.turns < _MOST_TURNS, "the session does not end"
        assert timeout is not None, "the session waits for what never comes"
        self.now_s += max(timeout, 0)
        return super().select(0)


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.clock = _NoTime()
        super().__init__(self.clock)

    def time(self) -> float:
        return self.clock.now_s


class _Pipe(asyncio.Transport):
    """What the session writes; closing it is heard of in the next turn, as with a socket."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._loop = loop
        self.written = bytearray()
        self.is_open = True
        self.session: Session

    def write(self, data: Any) -> None:
        assert self.is_open
        self.written += data

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 4711) if name == "peername" else default

    def pause_reading(self) -> None:
        """Nothing comes in but what is fed."""

    def resume_reading(self) -> None:
        """The same."""

    def can_write_eof(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return not self.is_open

    def close(self) -> None:
        if self.is_open:
            self.is_open = False
            self._loop.call_soon(self.session.connection_lost, None)

    abort = close


class _Relay(RecordingRelay):
    """Classifies what it gets, as the pipeline does."""

    def check_sender(self, client: Client, mail_from: str) -> None:
        check_reverse_path(client.tenant, mail_from, _DIRECTORY)

    async def relay(self, submission: Submission, taken: Hears | None = None) -> Accepted:
        classified = classify(submission, _DIRECTORY)
        assert classified.domain.tenant == submission.client.tenant.name
        self.submissions.append(submission)
        accepted = Accepted(Reply(250, "0.0", "Ok: queued as X"), None)
        if taken and len(submission.content) % 2:  # some settlements go out at once, others do not
            taken(accepted)
            await asyncio.sleep(0)
        return accepted


class _Complaints(logging.Handler):
    """What the edge could not explain."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(f"{record.getMessage()} {record.exc_info}")


def run(data: bytes) -> None:
    """Whole replies, no surprise in the log, nothing smuggled, and packets make no difference."""
    cut, stream = (data[0] if data else 0), data[1:]
    said, taken = _hold(stream, len(stream) or 1)
    for line in said.splitlines(keepends=True):
        assert _LINE.fullmatch(line), said
        assert len(line) <= 512, said
    assert len(taken) <= stream.count(b"\r\n.\r\n")
    for submission in taken:
        content = submission.content
        assert not re.search(rb"\r(?!\n)|(?<!\r)\n", content)
        assert content in stream.replace(b"\r\n.", b"\r\n")
        assert submission.envelope.mail_from.partition("@")[2].lower() in _OWN_NAMES
    if cut and len(stream) < 2000:
        again, taken_again = _hold(stream, cut)
        assert _REF.sub(b"", again) == _REF.sub(b"", said)
        assert [each.content for each in taken_again] == [each.content for each in taken]


_OWN_NAMES = {"", *OWN.senders()}


def _hold(stream: bytes, step: int) -> tuple[bytes, list[Submission]]:
    complaints = _Complaints()
    logging.getLogger("relay.edge").addHandler(complaints)
    with asyncio.Runner(loop_factory=_Loop) as runner:
        said, taken = runner.run(_session(stream, step))
    logging.getLogger("relay.edge").removeHandler(complaints)
    assert complaints.found == []
    return said, taken


async def _session(stream: bytes, step: int) -> tuple[bytes, list[Submission]]:
    loop = asyncio.get_running_loop()
    relay, roster = _Relay(), Roster("r1")
    pipe = _Pipe(loop)
    session = pipe.session = Session(_DOOR, _around(relay, roster), None)
    session.connection_made(pipe)
    for at in range(0, len(stream), step):
        await asyncio.sleep(0)
        if pipe.is_open:
            session.data_received(stream[at : at + step])
    for _ in range(100):  # by then it has read all that it will
        await asyncio.sleep(1.0)
        if not pipe.is_open or (session.intake._waiter and b"\n" not in session.intake.unread):
            break
    if pipe.is_open:
        session.eof_received()
    await roster.emptied()
    return bytes(pipe.written), relay.submissions


_DOOR = Door(Listener("127.0.0.1", 0, plaintext_auth=True), "127.0.0.1:0", None)


def _authenticate(username: str, token: str, /) -> tuple[Credential, Tenant] | None:
    found = _DIRECTORY.credentials.get(username)
    return found if found and token == "right" else None


def _around(relay: _Relay, roster: Roster) -> Surroundings:
    limits = Limits(message_bytes=4096, recipients=100)
    return Surroundings(
        hostname="relay.example.net",
        limits=limits,
        memory=Memory(limits),
        relay=relay,
        authenticate=_authenticate,
        settings=FixedSettings(_DIRECTORY),
        clock=FixedClock(),
        observer=RecordingObserver(),
        roster=roster,
    )
