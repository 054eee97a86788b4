"""Every way in which a message is not taken, and what its client hears.

    RelayError
    ├── Refused                      5xx: trying again changes nothing
    │   ├── NotPermitted             550 5.7.1   domain not yours
    │   │   └── NotVerified          550 5.7.1   added, and not verified yet
    │   ├── AuthRequired             530 5.7.0
    │   ├── BadCredentials           535 5.7.8
    │   ├── TlsRequired              538 5.7.11
    │   ├── BadSender                550 5.6.0   From missing, unparseable, ambiguous
    │   ├── BadMessage               550 5.6.0   header section that cannot be relayed
    │   ├── BareNewline              550 5.6.11  a CR or LF alone in the content
    │   ├── MailLoop                 554 5.4.6
    │   ├── MessageTooBig            552 5.3.4
    │   ├── NeverFits                550 5.5.3   more recipients than the policy will ever allow
    │   └── UpstreamLacks            554 5.6.3 / 550 5.6.7 / 552 5.3.4  8BITMIME, SMTPUTF8, SIZE
    ├── Deferred                     4xx: time cures it
    │   ├── WarmupLimit              451 4.7.1   a wall (`quota.Wall`)
    │   ├── TooManyRecipients        452 4.5.3
    │   ├── NoMemory                 452 4.3.1   more mail is on its way than may be held
    │   ├── StoreTrouble             451 4.3.0
    │   ├── KeyTrouble               451 4.3.0   a DKIM key that cannot be used
    │   ├── DomainTrouble            451 4.3.0   an added domain that the config has no route for
    │   ├── UpstreamTrouble          451 4.4.1   nothing was handed over
    │   ├── UnknownOutcome           451 4.3.0   the upstream may have taken it
    │   └── StillUnderWay            451 4.3.0   an earlier attempt is not decided yet
    └── UpstreamAnswered             the upstream's own code and text

Every leaf owns its reply and its metric label (`outcome`). `edge/replies.py` is the only
place that turns an exception into a reply; whatever is not in this tree is 451 4.3.0.
"""

from __future__ import annotations

from typing import ClassVar, Final

from relay.core.quota.reservation import Wall
from relay.core.quota.wording import deferral_text, never_fits_text
from relay.core.reply import Reply


class RelayError(Exception):
    """A message, or a step of its session, that the relay does not take.

    `text` is what its client hears where nothing else is given.
    """

    outcome: str = "failed"
    code: ClassVar[int] = 451
    detail: ClassVar[str] = "3.0"
    text: ClassVar[str] = "temporary local problem, please try again later"

    def __init__(self, text: str | None = None) -> None:
        super().__init__(self.text if text is None else text)

    def reply(self) -> Reply:
        """What the client hears (without the reference id)."""
        return Reply(self.code, self.detail, str(self))


class Refused(RelayError):
    """Trying again changes nothing."""

    outcome = "refused"
    code = 550
    detail = "7.1"


class NotPermitted(Refused):
    """The domain is not one of the tenant's (rule 4)."""


class NotVerified(NotPermitted):
    """The tenant has added the domain, and not shown yet that it is theirs."""

    def __init__(self, domain: str) -> None:
        super().__init__(f"{domain} is not verified yet: publish its TXT record")


class AuthRequired(Refused):
    """No tenant: neither by credential nor by network (RFC 4954 §6)."""

    code = 530
    detail = "7.0"
    text = "authentication required"


class BadCredentials(Refused):
    """RFC 4954 §6."""

    code = 535
    detail = "7.8"
    text = "authentication credentials invalid"


class TlsRequired(Refused):
    """AUTH on a connection that is neither encrypted nor allowed to go without (RFC 4954 §6)."""

    code = 538
    detail = "7.11"
    text = "encryption required for this authentication"


class BadSender(Refused):
    """The From header is missing, cannot be parsed, or does not name one responsible sender."""

    detail = "6.0"


class BadMessage(Refused):
    """The header section is not one that can be relayed."""

    detail = "6.0"


class BareNewline(Refused):
    """CR or LF alone in the content (RFC 5321 §2.3.8)."""

    detail = "6.11"
    text = "bare CR or LF in the message; lines must end in CRLF"


class MailLoop(Refused):
    """RFC 5321 §6.3."""

    code = 554
    detail = "4.6"

    def __init__(self, received_count: int) -> None:
        super().__init__(f"mail loop: {received_count} Received fields")


class MessageTooBig(Refused):
    """RFC 1870 §6.2. `limit` in bytes."""

    code = 552
    detail = "3.4"

    def __init__(self, limit: int) -> None:
        super().__init__(f"message exceeds the limit of {limit} bytes")


class NeverFits(Refused):
    """More recipients than any day of the policy allows; time does not cure it."""

    detail = "5.3"

    def __init__(self, wall: Wall, asked_by: str = "message") -> None:
        super().__init__(never_fits_text(wall, asked_by))
        self.wall = wall


_LACKS: Final = {"8BITMIME": (554, "6.3"), "SMTPUTF8": (550, "6.7"), "SIZE": (552, "3.4")}


class UpstreamLacks(Refused):
    """The upstream does not offer an extension that the message needs, or not enough of it."""

    def __init__(self, extension: str, why: str = "") -> None:
        told = f"the next hop does not offer {extension}, which this message needs"
        super().__init__(why or told)
        self.extension = extension

    def reply(self) -> Reply:
        """554 5.6.3 (RFC 6152 §3), 550 5.6.7 (RFC 6531 §3.5) or 552 5.3.4 (RFC 1870 §6.2)."""
        code, detail = _LACKS[self.extension]
        return Reply(code, detail, str(self))


class Deferred(RelayError):
    """Time cures it."""

    outcome = "deferred"


class WarmupLimit(Deferred):
    """A wall (DESIGN §6)."""

    detail = "7.1"

    def __init__(self, wall: Wall) -> None:
        super().__init__(deferral_text(wall))
        self.wall = wall


class TooManyRecipients(Deferred):
    """RFC 5321 §4.5.3.1.10."""

    code = 452
    detail = "5.3"

    def __init__(self, limit: int) -> None:
        super().__init__(f"too many recipients: at most {limit} in one transaction")


class NoMemory(Deferred):
    """More mail is on its way than the relay may hold at once (RFC 5321 §4.2.3, RFC 3463 §3.4)."""

    code = 452
    detail = "3.1"
    text = "too much mail is on its way at once, try again later"


class StoreTrouble(Deferred):
    """The store did not answer, or not in time (rule 5)."""

    outcome = "failed"


class KeyTrouble(Deferred):
    """A DKIM key cannot be loaded; nothing leaves unsigned in its place."""

    outcome = "failed"


class DomainTrouble(Deferred):
    """The record of an added domain names an upstream or policy that the config does not have."""

    outcome = "failed"


class UpstreamTrouble(Deferred):
    """The upstream could not be asked; it has not taken the message."""

    outcome = "failed"
    detail = "4.1"
    text = "next hop not reachable, please try again later"


class UnknownOutcome(Deferred):
    """The connection was lost after the final dot: the upstream may have taken the message."""

    outcome = "failed"


class StillUnderWay(Deferred):
    """An earlier attempt at the same message is still being forwarded."""

    text = "an earlier attempt at this message is still under way"


class UpstreamAnswered(RelayError):
    """The upstream said no. `recipient` is the one it refused, None for the whole message."""

    def __init__(self, answer: Reply, recipient: str | None = None) -> None:
        super().__init__(answer.text)
        self.answer = answer
        self.recipient = recipient
        self.outcome = "refused" if answer.code // 100 == 5 else "deferred"

    def reply(self) -> Reply:
        """The upstream's own code, enhanced code and text; the refused recipient is named.

        Its 421 ends its own connection, not ours (RFC 5321 §3.8), and Exim takes a 421 for the
        whole relay: it becomes 451.
        """
        code = 451 if self.answer.code == 421 else self.answer.code
        named = f"<{self.recipient}>: " if self.recipient is not None else ""
        return Reply(code, self.answer.detail, named + self.answer.text)
