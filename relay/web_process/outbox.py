"""Mail that comes over HTTP on its way into the pipeline, and rule 3 for its clients.

An HTTP request is a session of one message: its client has heard when the answer was written
while it still listened, and has not when it hung up before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from itertools import count
from typing import Final, TypeVar

from relay.concurrency.background import Background
from relay.core.errors import BareNewline, MessageTooBig, RelayError
from relay.core.mail.message import Client, Submission
from relay.edge.data import has_bare_newline
from relay.edge.refs import new_ref
from relay.ports import Clock
from relay.ports.relay import Accepted, Relay
from relay.ports.web import BadMessageOfBatch, Batches, Mail, NotSent, Sent

PROTOCOL: Final = "HTTP"
HELO: Final = "api"
"""What the Received field says of where it came from; no address of the client is told."""

T = TypeVar("T")


class Sessions:
    """The requests of this process that have a client. `instance` as in `ports.Instances`."""

    def __init__(self, instance: str) -> None:
        self._instance = instance
        self._numbers = count(1)
        self._live: set[str] = set()

    def open(self) -> str:
        """A new session id: `<instance>.<counter>`."""
        session = f"{self._instance}.{next(self._numbers)}"
        self._live.add(session)
        return session

    def close(self, session: str) -> None:
        """Its client is gone, or has heard. May be called twice."""
        self._live.discard(session)

    def is_alive(self, session: str) -> bool:
        """Whether its client could still hear an answer (rule 3)."""
        return session in self._live


class Outbox:
    """Implements `ports.web.Outbox`."""

    def __init__(
        self,
        relay: Relay,
        batches: Batches,
        sessions: Sessions,
        background: Background,
        clock: Clock,
        most_bytes: int,
    ) -> None:
        self._most_bytes = most_bytes
        self._relay = relay
        self._batches = batches
        self._sessions = sessions
        self._background = background
        self._clock = clock

    async def send(self, mail: Mail, gone: asyncio.Future[None]) -> Sent:
        """See `ports.web.Outbox`."""
        session = self._sessions.open()
        submission = self._submission(mail, session)
        try:
            self._check(mail)
            outcome = self._started(self._relay.relay(submission))
            await asyncio.wait((outcome, gone), return_when=asyncio.FIRST_COMPLETED)
            if gone.done():
                return await self._without_client(submission, outcome)
            accepted = await outcome
            await asyncio.gather(*map(self._relay.heard, accepted.receipts))
        except Exception as error:
            raise NotSent(submission.ref, error) from error
        finally:
            self._sessions.close(session)
        return _sent(submission, accepted)

    async def _without_client(
        self, submission: Submission, outcome: asyncio.Future[Accepted]
    ) -> Sent:
        self._sessions.close(submission.session)
        if not outcome.done():
            await self._relay.left(submission)
        accepted = await outcome
        await asyncio.gather(*map(self._relay.unheard, accepted.receipts))
        return _sent(submission, accepted)

    async def send_all(self, mails: Sequence[Mail]) -> list[Sent | NotSent]:
        """See `ports.web.Outbox`."""
        session = self._sessions.open()
        submissions = [self._submission(mail, session) for mail in mails]
        try:
            for number, mail in enumerate(mails):
                self._check_of_batch(number, mail)
            answers = await self._started(self._batches.relay_all(submissions))
        except RelayError as error:
            raise NotSent(submissions[0].ref, error) from error
        finally:
            self._sessions.close(session)
        pairs = zip(submissions, answers, strict=True)
        return [
            NotSent(submission.ref, answer)
            if isinstance(answer, RelayError)
            else _sent(submission, answer)
            for submission, answer in pairs
        ]

    def _check(self, mail: Mail) -> None:
        """What the edge asks of content that comes over SMTP."""
        if len(mail.content) > self._most_bytes:
            raise MessageTooBig(self._most_bytes)
        if has_bare_newline(mail.content):
            raise BareNewline

    def _check_of_batch(self, number: int, mail: Mail) -> None:
        try:
            self._check(mail)
        except RelayError as error:
            raise BadMessageOfBatch(number, error) from error

    def _submission(self, mail: Mail, session: str) -> Submission:
        client = Client(mail.tenant, "", HELO, PROTOCOL, username=mail.sender)
        ref = new_ref(self._clock.now())
        return Submission(client, mail.envelope, mail.content, ref, session)

    def _started(self, work: Awaitable[T]) -> asyncio.Future[T]:
        """`work`, which goes on whatever becomes of who awaits it."""
        outcome: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._background.start(_run(work, outcome))
        return outcome


async def _run(work: Awaitable[T], outcome: asyncio.Future[T]) -> None:
    try:
        result = await work
    except Exception as error:  # noqa: BLE001 - raised again where `outcome` is awaited
        if not outcome.done():
            outcome.set_exception(error)
    except BaseException:
        outcome.cancel()
        raise
    else:
        if not outcome.done():
            outcome.set_result(result)


def _sent(submission: Submission, accepted: Accepted) -> Sent:
    return Sent(submission.ref, accepted.reply, accepted.is_retry)
