"""What is known of the message under way, gathered as it passes the rooms.

One story per message, in a context variable; `measured.py` fills it in, and at the end it
becomes one log line and one count, which comes sooner where the answer does.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from time import perf_counter

from relay.core.errors import NeverFits, RelayError, WarmupLimit
from relay.core.mail.message import Envelope
from relay.core.reply import Reply

INTERNAL = Reply(451, "3.0", "temporary local problem")


@dataclass(slots=True)
class Story:
    """One message: labels for the metrics, fields for the log."""

    ref: str
    tenant: str
    envelope: Envelope
    domain: str = ""
    upstream: str = ""
    mail_class: str = ""
    size_bytes: int = 0
    outcome: str = "forwarded"
    wall: str = ""
    wall_opens_at: datetime | None = None
    reply: Reply | None = None
    began: float = field(default_factory=perf_counter)
    is_counted: bool = False

    def failed(self, error: BaseException) -> None:
        """Take the outcome, reply and wall from what was raised."""
        if not isinstance(error, RelayError):
            self.outcome, self.reply = "failed", INTERNAL
            return
        self.outcome, self.reply = error.outcome, error.reply()
        if isinstance(error, WarmupLimit | NeverFits):
            self.wall, self.domain = error.wall.kind.value, error.wall.route.id.domain
            self.upstream = error.wall.route.id.upstream
        if isinstance(error, WarmupLimit):
            self.wall_opens_at = error.wall.opens_at

    def fields(self, *, addresses: bool) -> dict[str, object]:
        """The log line; envelope addresses only where they are asked for."""
        told: dict[str, object] = {
            "ref": self.ref,
            "outcome": self.outcome,
            "tenant": self.tenant,
            "domain": self.domain,
            "upstream": self.upstream,
            "class": str(self.mail_class),  # not as the member of an enumeration that it may be
            "recipients": len(self.envelope.recipients),
            "size": self.size_bytes,
            "ms": round((perf_counter() - self.began) * 1000, 1),
        }
        if self.reply:
            told |= {"code": self.reply.code, "enhanced": self.reply.enhanced}
        if self.wall:
            told["wall"] = self.wall
        if addresses:
            told["from"] = self.envelope.mail_from
            told["to"] = [recipient.address for recipient in self.envelope.recipients]
        return {key: value for key, value in told.items() if value != ""}


current: ContextVar[Story | None] = ContextVar("story", default=None)
