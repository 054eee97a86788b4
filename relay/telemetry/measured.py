"""The relay's port, wrapped so that each message is counted and told of once.

A wrapper adds nothing to what it wraps but the measuring: same arguments, same result, same
exceptions. Those that time the other rooms are in `timed.py`.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from time import perf_counter
from typing import Any

import structlog

from relay.core.errors import WarmupLimit
from relay.core.mail.message import Classified, Client, Envelope, Recipient, Submission
from relay.core.reply import Reply
from relay.core.tenants.tenancy import Directory
from relay.ports.relay import Accepted, Hears, Relay, SplitTransaction
from relay.telemetry.metrics import Metrics
from relay.telemetry.story import Story, current

log = structlog.get_logger("relay")

Classify = Callable[[Submission, Directory], Classified]


def told(classify: Classify) -> Classify:
    """`classify`, noting domain and class in the story."""

    def classify_and_tell(submission: Submission, directory: Directory) -> Classified:
        message = classify(submission, directory)
        if story := current.get():
            story.domain, story.mail_class = message.domain.name, message.mail_class
        return message

    return classify_and_tell


class MeasuredRelay:
    """Wraps `ports.relay.Relay`: one story, one log line and one count per message."""

    def __init__(
        self,
        relay: Relay,
        metrics: Metrics,
        *,
        addresses: bool,
        ended: Callable[[Story], None] = lambda _story: None,
    ) -> None:
        """`ended` hears of every story that is over."""
        self._ended = ended
        self._relay = relay
        self._metrics = metrics
        self._addresses = addresses
        self._log = log.bind()  # once: as it is set up when the relay begins
        self.left = relay.left
        self.heard = relay.heard
        self.unheard = relay.unheard

    def relay(
        self, submission: Submission, taken: Hears | None = None
    ) -> Coroutine[Any, Any, Accepted]:
        """See `ports.relay.Relay`."""
        return self.telling_of(submission, self._relay.relay(submission, self.counted(taken)))

    def counted(self, taken: Hears | None) -> Hears | None:
        """`taken`, which counts the message first: this process may be killed at the answer."""
        if taken is None:
            return None

        def count_and_tell(accepted: Accepted) -> None:
            if (story := current.get()) is not None:
                self._count(story)
            taken(accepted)

        return count_and_tell

    async def telling_of(
        self,
        submission: Submission,
        relaying: Awaitable[Accepted],
        message: Classified | None = None,
    ) -> Accepted:
        """Await `relaying`, and tell what became of `submission`, which was `message` if known."""
        tenant = submission.client.tenant.name
        story = Story(submission.ref, tenant, submission.envelope)
        story.size_bytes = len(submission.content)
        if message is not None:
            story.domain, story.mail_class = message.domain.name, message.mail_class
        token = current.set(story)
        try:
            accepted = await relaying
            story.reply = accepted.reply
            if accepted.is_retry:
                story.outcome = "duplicate"
        except BaseException as error:
            story.failed(error)
            raise
        finally:
            current.reset(token)
            self._end(story)
        return accepted

    def begin(
        self, client: Client, envelope: Envelope, ref: str, session: str
    ) -> SplitTransaction | None:
        """See `ports.relay.Relay`."""
        split = self._relay.begin(client, envelope, ref, session)
        return split and MeasuredSplit(split, self, Story(ref, client.tenant.name, envelope))

    def refused(self, story: Story, error: Exception) -> None:
        """A message, or one of its recipients, was not taken because of `error`."""
        story.failed(error)
        self._end(story)

    def check_sender(self, client: Client, mail_from: str) -> None:
        """See `ports.relay.Relay`."""
        try:
            self._relay.check_sender(client, mail_from)
        except Exception as error:
            self.refused(Story("", client.tenant.name, Envelope(mail_from, ())), error)
            raise

    def check_quota(
        self, client: Client, envelope: Envelope, ref: str
    ) -> Coroutine[Any, Any, None] | None:
        """See `ports.relay.Relay`."""
        asked = self._relay.check_quota(client, envelope, ref)
        return asked and self._asked(asked, client, envelope, ref)

    async def _asked(
        self, asked: Awaitable[None], client: Client, envelope: Envelope, ref: str
    ) -> None:
        try:
            await asked
        except Exception as error:
            self.refused(Story(ref, client.tenant.name, envelope), error)
            raise

    def _count(self, story: Story) -> None:
        if not story.is_counted:
            story.is_counted = True
            self._metrics.count(story.tenant, story.domain, story.outcome)

    def _end(self, story: Story) -> None:
        self._count(story)
        if story.wall and story.outcome == WarmupLimit.outcome:  # it may have been refused for good
            _, domain = self._metrics.named.labels(story.tenant, story.domain)
            self._metrics.deferrals.labels(domain, story.wall).inc()
        if self._log.is_enabled_for(logging.INFO):
            self._log.info("message", **story.fields(addresses=self._addresses))
        self._ended(story)


class MeasuredSplit:
    """Wraps `ports.relay.SplitTransaction`: a recipient that is refused is a story of its own."""

    def __init__(self, split: SplitTransaction, relay: MeasuredRelay, story: Story) -> None:
        self._split = split
        self._relay = relay
        self._story = story
        self.abort = split.abort

    async def recipient(self, recipient: Recipient) -> Reply:
        """See `ports.relay.SplitTransaction`."""
        began = perf_counter()
        try:
            return await self._split.recipient(recipient)
        except Exception as error:
            envelope = replace(self._story.envelope, recipients=(recipient,))
            self._relay.refused(replace(self._story, envelope=envelope, began=began), error)
            raise

    async def finish(self, submission: Submission, taken: Hears | None = None) -> Accepted:
        """See `ports.relay.SplitTransaction`."""
        finishing = self._split.finish(submission, self._relay.counted(taken))
        return await self._relay.telling_of(submission, finishing)
