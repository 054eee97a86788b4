"""More Protocols between rooms: what HTTP, and the commands that are its like, ask of the others.

As in `ports/__init__.py`, every promise is about atomicity, idempotency, cancellation and failure.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from relay.core.errors import RelayError
from relay.core.mail.message import Envelope, Submission
from relay.core.quota.changes import Verb
from relay.core.reply import Reply
from relay.core.status.report import Status
from relay.core.tenants.access import ApiToken
from relay.core.tenants.audit import AuditEntry, AuditWanted
from relay.core.tenants.tenancy import Route, Tenant
from relay.ports.relay import Accepted


class TokenShelf(Protocol):
    """Where the tokens of the HTTP API are kept, shared by every process on the store.

    Every verb has a deadline of its own. Raises StoreTrouble, nothing else.
    """

    async def add(self, token: ApiToken, entry: AuditEntry) -> bool:
        """Keep `token` and note `entry` in the audit log, in one step. Idempotent.

        False, and nothing is noted, if there is one with its id.
        """

    async def get(self, token_id: str) -> ApiToken | None:
        """The token with that id, expired or not."""

    async def all(self) -> list[ApiToken]:
        """Every token, in no order."""

    async def remove(self, token_id: str, entry: AuditEntry) -> bool:
        """Forget it and note `entry`, in one step: from now on `get` finds nothing. Idempotent.

        False, and nothing is noted, if there was none.
        """

    async def metered(
        self, token_id: str, per_minute: int, burst: int
    ) -> tuple[ApiToken | None, float]:
        """The token with that id, without its last use, and one request taken of its rate.

        0.0, or the seconds until there is room; taken whether there is such a token or not. In
        one go, so nobody's word but that of somebody who has proven the token may bring it on.
        """

    async def used(self, token_id: str, at: datetime) -> None:
        """Note a use. Idempotent; a token that is not there stays so."""


class Access(Protocol):
    """What the web asks about who is asking."""

    async def bearer(self, text: str) -> ApiToken | None:
        """The live token that `text` is; None for any other text. Raises StoreTrouble.

        A revoked token is nobody's from the next call on.
        """

    async def admitted(
        self, text: str, per_minute: int, burst: int
    ) -> tuple[ApiToken, float] | None:
        """As `bearer`, and one request taken of the rate of the token.

        With it 0.0, or the seconds until there is room. Others than its bearer take nothing of it.
        """


class AuditLog(Protocol):
    """Who changed what: bounded, the oldest entries go. Raises StoreTrouble, nothing else."""

    async def add(self, entry: AuditEntry) -> None:
        """Keep `entry`. Idempotent: the same entry twice is there once."""

    async def replace(self, was: AuditEntry, becomes: AuditEntry | None) -> None:
        """Put `becomes`, of the same instant, in the place of `was`; None: take that out.

        Atomic, idempotent.
        """

    async def page(self, wanted: AuditWanted, limit: int) -> list[AuditEntry]:
        """At most `limit` entries, the newest first."""


@dataclass(frozen=True, slots=True)
class Change:
    """A route before and after; where nothing was done `refusal` says why, for people."""

    before: Status
    after: Status
    refusal: str | None = None

    @property
    def is_done(self) -> bool:
        """Whether it changed anything."""
        return self.refusal is None


class Changes(Protocol):
    """What operators do to routes; every change is noted in the audit log."""

    async def change(
        self, verb: Verb, route: Route, tenant: str, *, actor: str, reason: str
    ) -> Change:
        """Do `verb` to `route` of `tenant`, if that makes sense now. Raises StoreTrouble.

        After StoreTrouble it may have been done: then the log has it, perhaps as open.
        """


class BadMessageOfBatch(Exception):
    """The message with the index `number` cannot be relayed, so none of its batch is."""

    def __init__(self, number: int, error: RelayError) -> None:
        super().__init__(f"message {number}: {error}")
        self.number = number
        self.error = error


class Batches(Protocol):
    """Several messages whose quota is reserved as one."""

    async def relay_all(self, submissions: Sequence[Submission]) -> list[Accepted | RelayError]:
        """Send all, or nothing because of a wall or a message that cannot be relayed.

        Raises BadMessageOfBatch, WarmupLimit, NeverFits or StoreTrouble, and then nothing was
        sent (StoreTrouble: something may be charged). Else what became of each, in order. Must
        be let run to its end.
        """


@dataclass(frozen=True, slots=True)
class Mail:
    """A message that came over HTTP. `content` has CRLF lines; `sender` names who handed it in."""

    tenant: Tenant
    envelope: Envelope
    content: bytes
    sender: str


@dataclass(frozen=True, slots=True)
class Sent:
    """The upstream took it; `ref` is its reference id, `reply` what the upstream said."""

    ref: str
    reply: Reply
    is_retry: bool = False


class NotSent(Exception):
    """It was not taken, because of `error`; `ref` is its reference id."""

    def __init__(self, ref: str, error: Exception) -> None:
        super().__init__(str(error))
        self.ref = ref
        self.error = error


class Outbox(Protocol):
    """Mail that came over HTTP, through the same pipeline and quota as SMTP's."""

    async def send(self, mail: Mail, gone: asyncio.Future[None]) -> Sent:
        """Relay `mail`, to the end even if this call is cancelled; `gone`: nobody listens.

        Raises NotSent.
        """

    async def send_all(self, mails: Sequence[Mail]) -> list[Sent | NotSent]:
        """All of `mails`, or none: see `Batches`. Raises NotSent or BadMessageOfBatch."""


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An HTTP answer that is given again to the same request."""

    status: int
    content_type: str
    body: bytes


class Keeping(StrEnum):
    """Why a request with an Idempotency-Key is not carried out."""

    UNDER_WAY = "under way"
    OTHER_REQUEST = "other request"


class Answers(Protocol):
    """Answers by Idempotency-Key, for a day. Raises StoreTrouble, nothing else."""

    async def begin(self, key: str, digest: str) -> KeptAnswer | Keeping | None:
        """Claim `key` for the request with that digest; None: claimed, go ahead. Atomic.

        A claim whose caller did not hear of it lapses within seconds.
        """

    async def keep(self, key: str, digest: str, answer: KeptAnswer) -> None:
        """Keep the answer to a claimed request. Idempotent."""

    async def release(self, key: str) -> None:
        """Give a claim up: nothing was done. Idempotent."""
