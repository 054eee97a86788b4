"""What a session is given: the ports of this room, and the words it needs from the config.

Two ports are the edge's own: `Authenticator` (settings' tokens stand behind it) and
`Observer` (telemetry stands behind it).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from relay.concurrency.background import Background
from relay.concurrency.company import Company
from relay.core.config import Limits, Listener
from relay.core.tenants.tenancy import Credential, Tenant
from relay.edge.guesses import Guesses
from relay.edge.memory import Memory
from relay.edge.roster import Roster
from relay.edge.tls import Certificate
from relay.edge.turnstile import Turnstile
from relay.ports import Clock, Settings
from relay.ports.relay import Relay


class Authenticator(Protocol):
    """Checks a username and its token."""

    def __call__(self, username: str, token: str, /) -> tuple[Credential, Tenant] | None:
        """Whom they belong to, or None. Takes as long for unknown users as for known ones."""


class Observer(Protocol):
    """Told of what happens at the edge; must not block or raise."""

    def connection_opened(self, listener: str) -> None:
        """A client connected to `listener` (host:port)."""

    def connection_closed(self, listener: str) -> None:
        """It is gone."""

    def received(self, seconds: float) -> None:
        """The content of a message took this long to come in."""

    def auth_failed(self) -> None:
        """Credentials were wrong."""

    def auth_blocked(self) -> None:
        """Credentials were refused unseen: too many had been wrong before."""

    def crowded_out(self) -> None:
        """There was no memory for a message, and it was refused."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Everything that all sessions share.

    `may_offer` says whether EHLO names an extension that the upstreams have to know as well.
    `company` is told of messages on their way.
    """

    hostname: str
    limits: Limits
    relay: Relay
    authenticate: Authenticator
    settings: Settings
    clock: Clock
    observer: Observer
    roster: Roster
    memory: Memory
    may_offer: Callable[[str], bool] = lambda _extension: True
    company: Company = field(default_factory=Company)
    background: Background = field(default_factory=Background)
    turnstile: Turnstile = field(default_factory=Turnstile)
    guesses: Guesses = field(default_factory=Guesses)


@dataclass(frozen=True, slots=True)
class Door:
    """One listener at work: `name` is its host:port with the port that was really bound."""

    listener: Listener
    name: str
    certificate: Certificate | None
