"""The Protocols that the dashboard's pages ask of the other rooms.

As in `ports/__init__.py`, every promise is about atomicity, idempotency, cancellation and failure.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from relay.core.policy.policy import Policy
from relay.core.status.recent import Happening
from relay.core.tenants.access import ApiToken, Scope
from relay.core.tenants.audit import AuditEntry
from relay.core.tenants.tenancy import RouteId, SendingDomain
from relay.core.tenants.users import Session, User, Viewer


class UserShelf(Protocol):
    """Where users are kept. Has a deadline of its own. Raises StoreTrouble, nothing else."""

    async def add(self, user: User, entry: AuditEntry) -> bool:
        """Keep `user` and note `entry` in the audit log, in one step. Idempotent.

        False, and nothing is noted, if there is one of that name. So for the two below.
        """

    async def change(self, user: User, entry: AuditEntry) -> bool:
        """Put `user` in the place of the one of that name. False if there is nobody."""

    async def get(self, name: str) -> User | None:
        """The user with that name."""

    async def all(self) -> list[User]:
        """Every user, in no order."""

    async def remove(self, name: str, entry: AuditEntry) -> bool:
        """Forget them. False if there was nobody."""


class SessionShelf(Protocol):
    """Where sessions are kept, by the hash of their id. Raises StoreTrouble, nothing else."""

    async def put(self, digest: str, session: Session, lives_s: float) -> None:
        """Keep `session` for so long. Idempotent."""

    async def get(self, digest: str) -> Session | None:
        """The session, if its time is not over."""

    async def remove(self, digest: str) -> None:
        """End it. Idempotent."""


class Attempts(Protocol):
    """Attempts at a password, by what is tried. Raises StoreTrouble, nothing else."""

    async def take(self, name: str, free: int) -> float:
        """Count one attempt at `name`: 0.0, or the seconds that it is locked for. Atomic.

        The first `free` in a row go through; after each more the lock is twice as long. An
        attempt at what is locked does not count.
        """

    async def clear(self, name: str) -> None:
        """It was right: forget the attempts. Idempotent."""

    async def forgive(self, name: str, free: int) -> None:
        """One attempt at `name` was right: it does not count any more, those before it do."""


class NoEntry(Exception):
    """Signing in failed. `wait_s` above 0: locked for that long, the password was not looked at."""

    def __init__(self, wait_s: float = 0.0) -> None:
        super().__init__(f"locked for {wait_s:.0f} s" if wait_s else "wrong name or password")
        self.wait_s = wait_s


class SignIn(Protocol):
    """What the pages ask about who is looking. Raises StoreTrouble besides what is said."""

    async def sign_in(self, name: str, password: str, address: str) -> str:
        """The text of a new session, for the cookie. Raises NoEntry.

        As slow for a name that nobody has as for a wrong password.
        """

    async def viewer(self, text: str) -> Viewer | None:
        """Whose live session `text` is; nobody's once they are removed or changed password."""

    async def sign_out(self, text: str) -> None:
        """End the session. Idempotent."""


class Tokens(Protocol):
    """The tokens of the HTTP API, for those who make them. Raises StoreTrouble besides."""

    async def create(
        self,
        tenant: str | None,
        scopes: frozenset[Scope],
        name: str = "",
        lives_s: float | None = None,
        *,
        actor: str,
    ) -> tuple[ApiToken, str]:
        """A new token, and the text of it, which nobody can get again.

        `lives_s` None is for ever. One step with its entry in the audit log, of `actor`. Raises
        BadGrant. Not idempotent: after StoreTrouble there may be a token that nobody has.
        """

    async def tokens(self) -> list[ApiToken]:
        """All of them, the oldest first; those that have expired too."""

    async def revoke(self, token_id: str, *, actor: str) -> bool:
        """End it at once, everywhere, in one step with its entry. False if there is none."""


class History(Protocol):
    """Sends by day, for charts. Reads only. Raises StoreTrouble, nothing else."""

    async def lately(self, routes: Sequence[tuple[RouteId, int]], days: int) -> list[list[int]]:
        """For each route, and its last day (an ordinal), the sends of so many days up to it.

        One round trip for all.
        """

    async def days(self, route: RouteId) -> dict[int, int]:
        """Sends by ordinal of the day, for about the last 400 days with sends."""


class Recent(Protocol):
    """What happened to a route's mail lately: bounded in number and time, without recipients.

    Raises StoreTrouble, nothing else.
    """

    async def add(self, route: RouteId, happenings: Sequence[Happening]) -> None:
        """Keep `happenings`, the oldest first. Saying it twice keeps them twice."""

    async def of(self, route: RouteId) -> list[Happening]:
        """Those that are kept, the newest first."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with the text of a policy. `line` and `column` count from 1."""

    line: int
    column: int
    text: str
    hint: str


@dataclass(frozen=True, slots=True)
class PolicyText:
    """A policy as it stands in its file. `digest` is that of `text`.

    `target` is the file that saving writes, None where no directory may be written to.
    """

    name: str
    text: str
    digest: str
    target: str | None


class CannotSave(Exception):
    """The policy was not saved; the text says why, for people."""


class SavedUnnoted(Exception):
    """The policy was saved, and its entry in the audit log stays open: the store went away."""


class Policies(Protocol):
    """The policies that a relay may use: those that come with it, and those of its config."""

    async def all(self) -> dict[str, Policy]:
        """Those without a fault, by name."""

    async def text(self, name: str) -> PolicyText | None:
        """The file of a policy; None if there is none."""

    async def check(self, name: str, text: str) -> tuple[Policy | None, list[Fault]]:
        """What the relay would make of `text`: a policy, or everything that is wrong with it."""

    async def save(self, name: str, text: str, digest: str, *, actor: str) -> None:
        """Put `text` in place of the file with that `digest`; the old one is kept beside it.

        Atomic: a relay that reloads sees all of the old text or all of the new. The audit log
        has it, as of `actor`, and as open should the process die meanwhile. Raises CannotSave:
        for a text with faults, for a file that somebody has changed; StoreTrouble: nothing was
        done, for it could not be noted; SavedUnnoted.
        """


@dataclass(frozen=True, slots=True)
class Verified:
    """One signature of a message. `told` says what came of verifying it, for people."""

    selector: str
    is_good: bool
    told: str


@dataclass(slots=True)
class Tray:
    """What a test message left as: filled in while it is sent, empty where it was not."""

    content: bytes = b""


class Proving(Protocol):
    """Watches one message on its way out."""

    def watching(self) -> AbstractContextManager[Tray]:
        """Within the block, the message that is sent is put into the tray, as it was signed."""

    async def verify(self, tray: Tray, domain: SendingDomain) -> tuple[Verified, ...]:
        """Whether each signature of the message stands, by the public half of our own key."""
