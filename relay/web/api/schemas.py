"""The JSON objects of the API as its OpenAPI document describes them."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from relay.core.policy.policy import MailClass
from relay.core.tenants.audit import MOST_REASON, REASON

MOST_RECIPIENTS = 1000
MOST_OF_BATCH = 100


class Problem(BaseModel):
    """Problem details (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str


class WarmupLimit(BaseModel):
    """The cap, or another wall, is in the way; `Retry-After` says when it opens."""

    name: str = Field(description="warmup_limit")
    message: str = Field(description="The sentence that SMTP clients hear.")
    domain: str
    daily_limit: int | None
    emails_sent_today: int
    warmup_day: int
    warmup_ends_at: str | None


class Progress(BaseModel):
    """How far up its ramp a route is."""

    counts: str
    at: int


class NextTier(BaseModel):
    """The next tier, and its cap (null: unlimited)."""

    at: int
    cap: int | None


class Provider(BaseModel):
    """One mailbox provider's share of today."""

    limit: int | None
    sent: int
    remaining: int | None


class Wall(BaseModel):
    """One limit as it stands."""

    wall: str
    provider: str | None
    kept_for: str | None
    used: int
    limit: int | None
    opens_at: str | None


class DayOfForecast(BaseModel):
    """A coming day, if each day's cap is used up."""

    date: str
    cap: int | None


class RouteStatus(BaseModel):
    """A route and where it stands; null is unlimited, unknown or not yet."""

    id: str = Field(description="The domain; domain@upstream for a second route.")
    tenant: str
    domain: str
    upstream: str
    policy: str
    state: str = Field(description="pending, warming, warmed, paused or exempt")
    reason: str
    warmup_day: int
    progress: Progress
    daily_limit: int | None
    emails_sent_today: int
    remaining_today: int | None
    reserved_now: int
    resets_at: str
    first_send_at: str | None
    warmup_ends_at: str | None
    lifetime_sends: int
    next_tier: NextTier | None
    providers: dict[str, Provider]
    walls: list[Wall]
    rates: dict[str, float | None]
    forecast: list[DayOfForecast]
    may: list[str] = Field(description="What may be asked of it now: pause, resume …")


class RoutePage(BaseModel):
    """Some routes, in the order of their ids."""

    data: list[RouteStatus]
    next: str | None = Field(description="The `after` of the next page; null on the last.")


class AuditEntry(BaseModel):
    """Who changed what, when and why."""

    id: str
    at: str
    actor: str
    action: str
    tenant: str
    subject: str
    reason: str
    before: dict[str, Any]
    after: dict[str, Any]
    outcome: str = Field(
        description="done; open: begun, and nobody knows (yet) whether it was done."
    )


class AuditPage(BaseModel):
    """Some entries, the newest first."""

    data: list[AuditEntry]
    next: str | None = Field(description="The `before` of the next page; null on the last.")


class Start(BaseModel):
    """Which warm-up is to begin."""

    model_config = ConfigDict(extra="forbid")

    domain: Annotated[str, Field(min_length=1, max_length=255)]
    policy: str | None = Field(None, description="If given, the one that the route has.")
    upstream: str | None = Field(None, description="Needed for a second route only.")


Reason = Annotated[str, Field(max_length=MOST_REASON, pattern=REASON)]
"""One line of text: nothing in it that anybody takes for the end of one."""


class Why(BaseModel):
    """The reason of a change, for the audit log; of a pause, told to every client."""

    model_config = ConfigDict(extra="forbid")

    reason: Reason = ""


Address = Annotated[str, Field(min_length=3, max_length=998)]
Addresses = Address | Annotated[list[Address], Field(max_length=MOST_RECIPIENTS)]


_WORD: Final = r"[a-zA-Z0-9!#$&^_.+-]{1,100}"
PARAMETER: Final = rf'[ ]*;[ ]*({_WORD})=(?:({_WORD})|"([ !#-\[\]-~]{{0,100}})")'
"""Of a media type (RFC 2045 §5.1): its name, and its value without or with quotation marks."""


class Attachment(BaseModel):
    """A file; `content` is base64."""

    model_config = ConfigDict(extra="forbid")

    filename: Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")]
    content: str
    content_type: Annotated[str, Field(pattern=rf"^{_WORD}/{_WORD}(?:{PARAMETER}){{0,8}}$")] = (
        "application/octet-stream"
    )
    content_id: Annotated[str, Field(max_length=200, pattern=r"^[A-Za-z0-9._@+-]+$")] | None = (
        Field(None, description="Shows it inside the HTML as cid:…")
    )


class Email(BaseModel):
    """One message. Addresses are `user@domain` or `Name <user@domain>`."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    from_: Annotated[Address, Field(alias="from")]
    to: Addresses
    cc: Addresses | None = None
    bcc: Addresses | None = None
    reply_to: Addresses | None = None
    subject: Annotated[str, Field(max_length=2000)] = ""
    text: str | None = None
    html: str | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    attachments: Annotated[list[Attachment], Field(max_length=100)] = Field(default_factory=list)
    mail_class: MailClass | None = Field(None, alias="class")


class SentEmail(BaseModel):
    """The upstream took it: `id` is in its logs and ours, `reply` is what it said."""

    id: str
    reply: str
    duplicate: bool = Field(description="It had been taken before and was not sent again.")


class BatchItem(BaseModel):
    """What became of one message of a batch: sent, or why not."""

    id: str
    reply: str | None = None
    error: Problem | None = None


class BatchResult(BaseModel):
    """One item for each message, in order."""

    data: list[BatchItem]
