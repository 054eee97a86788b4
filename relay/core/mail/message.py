"""A message on its way through the rooms: envelope, submission, outgoing message.

Bytes are never decoded here. Parsing of the header section is `header.py`, of From
addresses `sender.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

from relay.core.mail.header import Field
from relay.core.policy.policy import MailClass
from relay.core.quota.campaign import Campaign
from relay.core.tenants.tenancy import SendingDomain, Tenant
from relay.core.values import value


@value(frozen=True, slots=True)
class Recipient:
    """One RCPT TO. `notify` and `orcpt` are the DSN parameters of RFC 3461, as they came."""

    address: str
    notify: str | None = None
    orcpt: str | None = None


@value(frozen=True, slots=True)
class Envelope:
    """The envelope of RFC 5321 §2.3.1. `mail_from` is "" for the null reverse-path.

    `body` is the BODY parameter (RFC 6152) or None where the client gave none; `ret` and
    `envid` are those of RFC 3461.
    """

    mail_from: str
    recipients: tuple[Recipient, ...]
    body: str | None = None
    smtputf8: bool = False
    ret: str | None = None
    envid: str | None = None


@dataclass(frozen=True, slots=True)
class Client:
    """Whom a session speaks for: the tenant, and what the Received header tells of it.

    `protocol` is the IANA "with" keyword: SMTP, ESMTP, ESMTPA, ESMTPS, ESMTPSA, UTF8SMTP….
    """

    tenant: Tenant
    address: str
    helo: str = ""
    protocol: str = "ESMTP"
    username: str | None = None
    mail_class: MailClass | None = None


@value(frozen=True, slots=True)
class Submission:
    """What the client handed in: `content` is the DATA payload, CRLF lines, dots unstuffed.

    `ref` is the reference id of the transaction; `session` names the connection it came
    over, unique over all relays and restarts.
    """

    client: Client
    envelope: Envelope
    content: bytes
    ref: str
    session: str


@value(frozen=True, slots=True)
class Classified:
    """A submission that may be sent, and as what. Its route is found when quota is reserved.

    `header` is the header section with our own X-Warmup-* fields removed, without the empty line;
    `fields` is what the client's was parsed as, those fields included; `body` is a view of
    everything after it, the empty line included, so that the body is never copied; `body_sha256`
    is the hash of it without the empty line. `message_id` is the client's own, or None if it set
    none. `needs_8bit` and `needs_utf8` say what the next hop must offer (RFC 6152, RFC 6531).
    """

    submission: Submission
    domain: SendingDomain
    mail_class: MailClass
    message_id: bytes | None
    fingerprint: str | None
    header: bytes
    fields: tuple[Field, ...]
    body: memoryview
    body_sha256: bytes
    campaign: Campaign | None = None
    needs_8bit: bool = False
    needs_utf8: bool = False


@value(frozen=True, slots=True)
class Outgoing:
    """What goes to the upstream: `head` + `body` is the message, CRLF lines, no stuffing.

    `needs_8bit` and `needs_utf8` say what the upstream must offer (RFC 6152, RFC 6531).
    """

    envelope: Envelope
    head: bytes
    body: memoryview
    ref: str
    needs_8bit: bool = False
    needs_utf8: bool = False

    @property
    def size_bytes(self) -> int:
        """The length of the message."""
        return len(self.head) + len(self.body)
