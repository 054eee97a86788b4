"""More Protocols between rooms: what HTTP, and the commands that are its like, ask of the others.

As in `ports.py`, every promise is about atomicity, idempotency, cancellation and failure.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from relay.core.access import ApiToken
from relay.core.audit import AuditEntry, AuditWanted
from relay.core.changes import Verb
from relay.core.report import Status
from relay.core.tenancy import Route


class TokenShelf(Protocol):
    """Where the tokens of the HTTP API are kept, shared by every process on the store.

    Every verb has a deadline of its own. Raises StoreTrouble, nothing else.
    """

    async def put(self, token: ApiToken) -> None:
        """Keep `token`. Idempotent."""

    async def get(self, token_id: str) -> ApiToken | None:
        """The token with that id, expired or not."""

    async def all(self) -> list[ApiToken]:
        """Every token, in no order."""

    async def remove(self, token_id: str) -> bool:
        """Forget it: from now on `get` finds nothing. False if there was none."""

    async def used(self, token_id: str, at: datetime) -> None:
        """Note a use. Idempotent; a token that is not there stays so."""


class Access(Protocol):
    """What the web asks about who is asking."""

    async def bearer(self, text: str) -> ApiToken | None:
        """The live token that `text` is; None for any other text. Raises StoreTrouble.

        A revoked token is nobody's from the next call on.
        """


class AuditLog(Protocol):
    """Who changed what: bounded, the oldest entries go. Raises StoreTrouble, nothing else."""

    async def add(self, entry: AuditEntry) -> None:
        """Keep `entry`. Idempotent: the same entry twice is there once."""

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

        After StoreTrouble it may have been done, and then perhaps without a note.
        """
